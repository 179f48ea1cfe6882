// fork_and_work forks, has the child make threads, waits for its end, and makes threads itself. It
// returns the child's status.
int fork_and_work(void);
