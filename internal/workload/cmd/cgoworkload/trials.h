// C functions to be called by trials, and threads of C's that call Go.

// nothing does nothing.
void nothing(void);

// count adds to a variable of the calling thread.
void count(void);

// compute runs rounds of arithmetic, of about a nanosecond each.
void compute(int rounds);

// take_byte reads a byte from a pipe, whatever signals come.
void take_byte(int fd);

// call_go has a thread of C's call Go so many times and returns when the thread has ended: 0, or an error number. Where the thread
// is not its own but the caller's, create is 0.
int call_go(int number, int times, int create);
