// Bundle js/ into layerlab_widgets/static/, or into the folder that `--outdir=` names.
// Of the catalogues only what the widget says itself: reasons come from Python as sentences, and
// what a change rebuilds is shown without a widget.
import { readFile } from "node:fs/promises";
import { build } from "esbuild";

const FOLDER = "--outdir=";

const texts = {
  name: "texts",
  setup({ onLoad }) {
    onLoad({ filter: /[/\\]texts[/\\]\w+\.json$/ }, async ({ path }) => {
      const all = Object.entries(JSON.parse(await readFile(path, "utf8")));
      const kept = all.filter(([key]) => !/^(reason|change)\./.test(key));
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
