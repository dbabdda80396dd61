/*-------------------------------------------------------------------------
 *
 * stream.c
 *	  The short way to the client's socket.
 *
 * http.c and ws.c write through it.  When nothing is waiting and there is no
 * TLS in between, the bytes go straight to the kernel: that saves a turn of the
 * loop and two system calls for each answer, and it is what makes the first
 * frame of a fan-out leave within a millisecond.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "metrics.h"
#include "stream.h"

static bool send_now(struct bufferevent *bev, struct iovec *piece, int count);
static void pieces_skip(struct iovec *piece, int count, size_t sent);

bool
stream_write(struct bufferevent *bev, struct iovec *piece, int count)
{
	struct evbuffer *output = bufferevent_get_output(bev);

	for (int i = 0; i < count; i++)
		metrics_add(METRIC_BYTES_OUT, (int64_t) piece[i].iov_len);
	if (evbuffer_get_length(output) == 0 && bufferevent_openssl_get_ssl(bev) == NULL &&
		!send_now(bev, piece, count))
		return false;
	for (int i = 0; i < count; i++)
		if (piece[i].iov_len > 0 &&
			evbuffer_add(output, piece[i].iov_base, piece[i].iov_len) != 0)
			return false;
	return true;
}

static bool
send_now(struct bufferevent *bev, struct iovec *piece, int count)
{
	struct msghdr message = {.msg_iov = piece, .msg_iovlen = (size_t) count};
	ssize_t sent = sendmsg(bufferevent_getfd(bev), &message, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (sent < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
	pieces_skip(piece, count, (size_t) sent);
	return true;
}

static void
pieces_skip(struct iovec *piece, int count, size_t sent)
{
	for (int i = 0; i < count; i++)
	{
		size_t part = sent < piece[i].iov_len ? sent : piece[i].iov_len;

		piece[i].iov_base = (char *) piece[i].iov_base + part;
		piece[i].iov_len -= part;
		sent -= part;
	}
}

size_t
stream_waiting(struct bufferevent *bev)
{
	return evbuffer_get_length(bufferevent_get_output(bev));
}

size_t
stream_unread(struct bufferevent *bev)
{
	int kernel = 0;

	if (ioctl(bufferevent_getfd(bev), SIOCOUTQ, &kernel) != 0)
		kernel = 0;
	return stream_waiting(bev) + (size_t) kernel;
}
