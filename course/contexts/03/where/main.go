// where: says for which platform it was compiled.
package main

import (
	"fmt"
	"runtime"
)

func main() {
	fmt.Printf("I was compiled for %s/%s.\n", runtime.GOOS, runtime.GOARCH)
}
