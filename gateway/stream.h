/*-------------------------------------------------------------------------
 *
 * stream.h
 *	  Writing to a client: at once if possible, else later.
 *
 *-------------------------------------------------------------------------
 */
#ifndef STREAM_H
#define STREAM_H

#include <event2/bufferevent.h>
#include <stdbool.h>
#include <sys/uio.h>

/*
 * Sends the pieces in order.  What the kernel does not take at once is copied
 * into the output buffer.  False when memory is short or the peer is gone.
 */
bool stream_write(struct bufferevent *bev, struct iovec *piece, int count);

/* Bytes waiting to be sent. */
size_t stream_waiting(struct bufferevent *bev);

/* The same with those the kernel still has: falls as long as the peer reads. */
size_t stream_unread(struct bufferevent *bev);

#endif
