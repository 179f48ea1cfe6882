// Threads made by C, for a workload in which an observer must distinguish them from the Go runtime's threads.

// start_thread makes a thread that calls Go (if calls is not 0) every millisecond while at work. It returns the
// thread's id, or minus the error number.
int start_thread(int calls);

// work sets whether the threads are at work. If they are not, it returns when none of them is inside Go.
void work(int on);

// doze sleeps in C.
void doze(int microseconds);
