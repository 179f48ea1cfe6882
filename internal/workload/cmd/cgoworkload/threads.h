// Threads made by C, for a workload that an observer of Go's own threads must tell apart.

// start_thread makes a thread that every millisecond, while at work, calls Go (if calls is not 0). It returns the thread's id,
// or minus the error number.
int start_thread(int calls);

// work sets whether the threads are at work, and returns once none of them is inside Go when they are not.
void work(int on);

// doze sleeps in C.
void doze(int microseconds);
