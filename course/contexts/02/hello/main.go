// hello: a small web server that is a single file, its page included.
//
//	server [PORT]    PORT is 8080 unless you name another one
package main

import (
	_ "embed"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// Lab 02 changes this line, and nothing else, to see which stages a small edit reaches.
const appVersion = "1.0"

// The page is put into the program when it is compiled: an image from scratch holds no other file.
//
//go:embed page.html
var page string

func main() {
	port := "8080"
	if len(os.Args) > 1 {
		port = os.Args[1]
	}

	answer("/{$}", "text/html", strings.ReplaceAll(page, "{{version}}", appVersion))
	answer("/text", "text/plain", fmt.Sprintf("version: %s\nlanguage: Go\n", appVersion))
	answer("/health", "text/plain", "healthy\n")

	// As a container's first process it ends at a signal only if it listens to it.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		os.Exit(0)
	}()

	log.Printf("hello %s answers on port %s", appVersion, port)
	log.Fatal(http.ListenAndServe(":"+port, nil)) // no host before the colon: on all addresses
}

// answer serves a text that never changes.
func answer(path, kind, text string) {
	http.HandleFunc("GET "+path, func(response http.ResponseWriter, _ *http.Request) {
		response.Header().Set("Content-Type", kind+"; charset=utf-8")
		fmt.Fprint(response, text)
	})
}
