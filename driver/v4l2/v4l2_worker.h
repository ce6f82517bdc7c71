/*
 * v4l2_worker: one thread for the calls that the kernel's camera driver may keep for seconds (it
 * speaks to the camera inside them), so that the event loop never waits. Made before the cage;
 * asleep while there is nothing to do.
 */
#ifndef UKETSUKE_V4L2_WORKER_H
#define UKETSUKE_V4L2_WORKER_H

struct sd_event;
struct v4l2_worker;

struct v4l2_job {
    void (*run)(struct v4l2_job *job); /* on the thread */
    void (*done)(
        struct v4l2_job *job); /* afterwards, on the loop; may submit again and free the job */
    struct v4l2_job *next;     /* the worker's while the job is under way */
};

/* 0 or negative errno. */
int v4l2_worker_new(struct v4l2_worker **out, struct sd_event *loop);
/* Runs what is left, on the caller's thread, and ends. Accepts and stores NULL. */
void v4l2_worker_free(struct v4l2_worker **worker);

/* Jobs run in the order in which they came. The job is borrowed until done() is called. */
void v4l2_worker_submit(struct v4l2_worker *worker, struct v4l2_job *job);

#endif
