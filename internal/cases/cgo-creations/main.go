// Cgo-creations has goroutines block in C, each on a thread of its own, and then C code make threads.
package main

// #include <pthread.h>
// #include <unistd.h>
// static void query(int us) { usleep(us); }
// static void *work(void *us) { usleep((long)us); return NULL; }
// static int spawn(int n) {
// 	pthread_t t[32];
// 	int made = 0;
// 	while (made < n && !pthread_create(&t[made], NULL, work, (void *)200000L))
// 		made++;
// 	for (int i = 0; i < made; i++)
// 		pthread_join(t[i], NULL);
// 	return made;
// }
import "C"

import (
	"bufio"
	"fmt"
	"os"
	"runtime/pprof"
	"sync"
)

const lookups, threads = 60, 20

func lookup(done *sync.WaitGroup) {
	defer done.Done()
	C.query(1000000)
}

func resolve() int { return int(C.spawn(threads)) }

func main() {
	in := bufio.NewScanner(os.Stdin)
	fmt.Println(`{"ready": true}`)
	in.Scan() // go
	before := pprof.Lookup("threadcreate").Count()
	var done sync.WaitGroup
	done.Add(lookups)
	for range lookups {
		go lookup(&done)
	}
	done.Wait()
	created, spawned := pprof.Lookup("threadcreate").Count()-before, resolve()
	in.Scan() // the end
	fmt.Printf(`{"created": %d, "spawned": %d}`, created, spawned)
}
