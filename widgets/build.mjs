// Bundle js/ into layerlab_widgets/static/, or into the folder that `--outdir=` names.
// Of the catalogues only what views say themselves: reasons come from Python as sentences.
import { readFile } from "node:fs/promises";
import { build } from "esbuild";

const FOLDER = "--outdir=";

const texts = {
  name: "texts",
  setup({ onLoad }) {
    onLoad({ filter: /[/\\]texts[/\\]\w+\.json$/ }, async ({ path }) => {
      const all = Object.entries(JSON.parse(await readFile(path, "utf8")));
      const kept = all.filter(([key]) => !key.startsWith("reason."));
      return { contents: JSON.stringify(Object.fromEntries(kept)), loader: "json" };
    });
  },
};

await build({
  entryPoints: ["build_view", "guess_view"].flatMap((view) => [`js/${view}.js`, `js/${view}.css`]),
  bundle: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  minify: true,
  plugins: [texts],
  outdir:
    process.argv.find((word) => word.startsWith(FOLDER))?.slice(FOLDER.length) ??
    "layerlab_widgets/static",
});
