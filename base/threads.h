/*
 * How many threads work where nobody says a number ("0: all processors"): the one place that looks at what the process
 * may use. A container with a quota of two processors on a machine of 64 has 64 processors as far as its affinity mask
 * tells; 64 threads there wait for one another most of the time.
 */
#ifndef LLMC_BASE_THREADS_H
#define LLMC_BASE_THREADS_H

/* The most threads that one computation uses, whatever is asked for. */
#define LLMC_THREADS_MAX 256

/* From 1 to LLMC_THREADS_MAX: as many threads as OpenMP gives the caller (all processors of the affinity mask, or what
 * omp_set_num_threads said); without OMP_NUM_THREADS in the environment, no more than the quota. OMP_NUM_THREADS is the
 * user's word and counts instead of mask and quota. Reads some small files and keeps no state. */
int llmc_threads_all(void);

/* The CPU quota of this process's control groups and of those above them (cgroup v2: cpu.max; v1: cpu.cfs_quota_us),
 * in processors, rounded up: one and a half let two threads work. INT_MAX: none. ROOT/proc/self/cgroup and
 * ROOT/sys/fs/cgroup are read; "" is this system. */
int llmc_threads_quota(const char *root);

#endif
