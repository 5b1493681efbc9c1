// SPDX-License-Identifier: MIT
// Goroutines, garbage collection, preemption of a loop, a nil pointer.

package main

import (
	"fmt"
	"runtime"
	"sync"
	"time"
)

func work(n int, c chan<- int, wg *sync.WaitGroup) {
	defer wg.Done()
	s := 0
	b := make([][]byte, 0)
	for i := 0; i < 2000; i++ {
		b = append(b, make([]byte, 1000+n))
		s += len(b[i])
	}
	c <- s
}

func main() {
	fmt.Println("hello from", runtime.GOOS, runtime.GOARCH)
	c := make(chan int, 64)
	var wg sync.WaitGroup
	for i := 0; i < 64; i++ {
		wg.Add(1)
		go work(i, c, &wg)
	}
	wg.Wait()
	close(c)
	t := 0
	for v := range c {
		t += v
	}
	runtime.GC()
	time.Sleep(10 * time.Millisecond)
	spin := make(chan bool)
	go func() {
		for {
		}
	}()
	go func() { time.Sleep(5 * time.Millisecond); spin <- true }()
	<-spin
	fmt.Println("sum", t)
	func() {
		defer func() { fmt.Println("recovered:", recover()) }()
		var p *int
		*p = 1
	}()
}
