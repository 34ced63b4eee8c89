/*
 * io_message: what comes home to the io thread's mailbox.
 */
#ifndef RWD_EDGE_IO_MESSAGE_H
#define RWD_EDGE_IO_MESSAGE_H

enum rwd_io_message {
    RWD_IO_BATCH,     /* struct rwd_batch of ingest */
    RWD_IO_API_BATCH, /* struct rwd_batch of the API */
    RWD_IO_INQUIRY,   /* struct rwd_inquiry of the API */
    RWD_IO_STOP,      /* struct rwd_message: drain, then end */
};

#endif
