// C functions that trials call, and threads made by C that call Go.

// nothing does nothing.
void nothing(void);

// fill writes to a buffer of the calling thread.
void fill(void);

// compute runs rounds of arithmetic, of about a nanosecond each.
void compute(int rounds);

// take_byte reads a byte from a pipe and repeats the read after a signal.
void take_byte(int fd);

// call_go calls Go that many times: on a new thread, or, if create is 0, on the calling one. It returns when the thread
// has ended: 0, or an error number.
int call_go(int number, int times, int create);
