// The real matchers, for tests: BuildKit's and Buildah's ignore patterns, and Go's own.
// Reads one JSON request a line, answers one JSON line each.
package main

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"github.com/containers/storage/pkg/fileutils"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

type request struct {
	Op       string   `json:"op"`
	Text     string   `json:"text"`
	Patterns []string `json:"patterns"`
	Path     string   `json:"path"`
}

type answer struct {
	Matches  bool     `json:"matches"`
	Patterns []string `json:"patterns"`
	Text     string   `json:"text"`
	Error    string   `json:"error"`
}

// buildkit walks down as fsutil's filter does: each folder hands its results to its children.
func buildkit(r request, a *answer) error {
	m, err := patternmatcher.New(r.Patterns)
	if err != nil {
		return err
	}
	info := patternmatcher.MatchInfo{}
	parts := strings.Split(r.Path, "/")
	for i := range parts {
		a.Matches, info, err = m.MatchesUsingParentResults(strings.Join(parts[:i+1], "/"), info)
		if err != nil {
			return err
		}
	}
	return nil
}

func handle(r request, a *answer) (err error) {
	switch r.Op {
	case "glob":
		a.Matches, err = filepath.Match(r.Text, r.Path)
	case "clean":
		a.Text = filepath.Clean(r.Path)
	case "ignorefile":
		a.Patterns, err = ignorefile.ReadAll(strings.NewReader(r.Text))
	case "buildkit":
		err = buildkit(r, a)
	case "buildah":
		var m *fileutils.PatternMatcher
		if m, err = fileutils.NewPatternMatcher(r.Patterns); err == nil {
			a.Matches, err = m.Matches(r.Path) //nolint:staticcheck // what Buildah calls
		}
	}
	return err
}

func main() {
	out := json.NewEncoder(os.Stdout)
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var r request
		var a answer
		if err := json.Unmarshal(line, &r); err != nil {
			a.Error = "request: " + err.Error()
		} else if err := handle(r, &a); err != nil {
			a.Error = err.Error()
		}
		if err := out.Encode(a); err != nil {
			return
		}
	}
}
