#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "net/websocket.h"
#include "tests/kc_test.h"

#define MESSAGE_LIMIT 1024

/* A byte string that may hold NULs, and its length. */
#define BYTES(literal) (literal), sizeof(literal) - 1

/* The example of RFC 6455, section 1.3; every mask is 0, so that what we send can be read. */
static int example_entropy(void *context, void *bytes, size_t length)
{
	(void)context;
	if (length == 16)
		memcpy(bytes, "the sample nonce", length);
	else
		memset(bytes, 0, length);
	return 0;
}

#define ANSWER_START "HTTP/1.1 101 Switching Protocols\r\n"
#define UPGRADE "Upgrade: websocket\r\n"
#define CONNECTION "Connection: Upgrade\r\n"
#define ACCEPT "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
#define PROTOCOL "Sec-WebSocket-Protocol: tty\r\n"
#define GOOD_ANSWER ANSWER_START UPGRADE CONNECTION ACCEPT PROTOCOL "\r\n"

static struct kc_websocket *open_websocket(void)
{
	struct kc_websocket_options options = { .host = "localhost:7681",
						.path = "/ws",
						.subprotocol = "tty",
						.message_limit = MESSAGE_LIMIT,
						.entropy = { .fill = example_entropy } };
	struct kc_websocket *websocket = NULL;
	struct kc_error err = { 0 };

	(void)KC_CHECK_OK(kc_websocket_new(&options, &websocket, &err), err);
	return websocket;
}

static void drop_output(struct kc_websocket *websocket)
{
	kc_websocket_sent(websocket, kc_websocket_output(websocket)->length);
}

/* What an event looks like in the tables: "ping:abc", "close:1000:bye". */
static void log_event(struct kc_buffer *log, const struct kc_websocket_event *event)
{
	static const char *const names[] = {
		[KC_WEBSOCKET_OPEN] = "open",  [KC_WEBSOCKET_TEXT] = "text", [KC_WEBSOCKET_BINARY] = "binary",
		[KC_WEBSOCKET_PING] = "ping",  [KC_WEBSOCKET_PONG] = "pong", [KC_WEBSOCKET_CLOSE] = "close",
		[KC_WEBSOCKET_ERROR] = "error"
	};

	int status = kc_buffer_printf(log, "%s%s", log->length ? " " : "", names[event->type]);

	if (status == 0 && event->code)
		status = kc_buffer_printf(log, ":%u", (unsigned int)event->code);
	if (status == 0 && event->type != KC_WEBSOCKET_OPEN)
		status = kc_buffer_append_string(log, ":");
	if (status == 0 && event->length)
		status = kc_buffer_append(log, event->data, event->length);
	KC_CHECK_INT(status, 0);
}

/* Feeds `bytes` in pieces and appends every event to the log. */
static void feed(struct kc_websocket *websocket, const char *bytes, size_t length, size_t piece,
		 struct kc_buffer *log)
{
	struct kc_error err = { 0 };

	for (size_t at = 0; at < length; at += piece) {
		struct kc_websocket_event event;
		size_t size = length - at < piece ? length - at : piece;
		/* A copy, so that the address sanitizer sees any step outside. */
		KC_CLEANUP_FREE char *copy = malloc(size);
		int status;

		KC_REQUIRE(copy);
		memcpy(copy, bytes + at, size);
		kc_websocket_feed(websocket, copy, size);
		while ((status = kc_websocket_next(websocket, &event, &err)) > 0)
			log_event(log, &event);
		KC_CHECK_OK(status, err);
	}
}

static void sends_the_request_of_the_rfc(void)
{
	struct kc_websocket *websocket = open_websocket();

	KC_REQUIRE(websocket);
	KC_CHECK_STRING(kc_buffer_string(kc_websocket_output(websocket)),
			"GET /ws HTTP/1.1\r\n"
			"Host: localhost:7681\r\n"
			"Upgrade: websocket\r\n"
			"Connection: Upgrade\r\n"
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
			"Sec-WebSocket-Version: 13\r\n"
			"Sec-WebSocket-Protocol: tty\r\n"
			"\r\n");
	kc_websocket_release(&websocket);
	kc_websocket_release(&websocket);
}

static void refuses_a_request_that_is_not_plain(void)
{
	static const char *const paths[] = { "", "/ws HTTP/1.1\r\nX: y", "/w s", "/ws\x7f" };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(paths); i++) {
		struct kc_websocket_options options = { .host = "localhost",
							.path = paths[i],
							.subprotocol = "tty" };
		struct kc_websocket *websocket = NULL;
		struct kc_error err = { 0 };

		KC_CHECK_INT(kc_websocket_new(&options, &websocket, &err), -EINVAL);
		KC_CHECK(!websocket && err.code == -EINVAL);
	}
}

static const struct {
	const char *name, *answer;
	size_t length;
	const char *expected; /* the log, or the end of the rule that was broken */
} answer_rows[] = {
	{ "right", BYTES(GOOD_ANSWER), "open" },
	{ "as ttyd writes it", BYTES(ANSWER_START "Upgrade: WebSocket\r\n" CONNECTION ACCEPT PROTOCOL "\r\n"),
	  "open" },
	{ "names in any case, space around values",
	  BYTES(ANSWER_START "UPGRADE:websocket \r\nconnection: \t keep-alive ,  uPGRADE\r\n" ACCEPT PROTOCOL
			     "Server: x\r\n\r\n"),
	  "open" },
	{ "no reason phrase", BYTES("HTTP/1.1 101\r\n" UPGRADE CONNECTION ACCEPT PROTOCOL "\r\n"), "open" },
	{ "200", BYTES("HTTP/1.1 200 OK\r\n" UPGRADE CONNECTION ACCEPT PROTOCOL "\r\n"),
	  "not HTTP/1.1 101 (RFC 6455, 4.1)" },
	{ "1010", BYTES("HTTP/1.1 1010\r\n" UPGRADE CONNECTION ACCEPT PROTOCOL "\r\n"),
	  "not HTTP/1.1 101 (RFC 6455, 4.1)" },
	{ "HTTP/1.0", BYTES("HTTP/1.0 101 x\r\n" UPGRADE CONNECTION ACCEPT PROTOCOL "\r\n"),
	  "not HTTP/1.1 101 (RFC 6455, 4.1)" },
	{ "another protocol", BYTES("SSH-2.0-x\r\n\r\n"), "not HTTP (RFC 6455, 4.1)" },
	{ "nothing but an end", BYTES("\r\n\r\n"), "no Upgrade field (RFC 6455, 4.1)" },
	{ "wrong accept",
	  BYTES(ANSWER_START UPGRADE CONNECTION
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOO=\r\n" PROTOCOL "\r\n"),
	  "Sec-WebSocket-Accept does not answer our key (RFC 6455, 4.1)" },
	{ "accept in another case",
	  BYTES(ANSWER_START UPGRADE CONNECTION
		"Sec-WebSocket-Accept: S3PPLMBITXAQ9KYGZZHZRBK+XOO=\r\n" PROTOCOL "\r\n"),
	  "Sec-WebSocket-Accept does not answer our key (RFC 6455, 4.1)" },
	{ "accept cut short",
	  BYTES(ANSWER_START UPGRADE CONNECTION "Sec-WebSocket-Accept: s3pP\r\n" PROTOCOL "\r\n"),
	  "Sec-WebSocket-Accept does not answer our key (RFC 6455, 4.1)" },
	{ "no accept", BYTES(ANSWER_START UPGRADE CONNECTION PROTOCOL "\r\n"),
	  "no Sec-WebSocket-Accept field (RFC 6455, 4.1)" },
	{ "accept twice", BYTES(ANSWER_START UPGRADE CONNECTION ACCEPT ACCEPT PROTOCOL "\r\n"),
	  "stands twice (RFC 6455, 11.3)" },
	{ "no upgrade", BYTES(ANSWER_START CONNECTION ACCEPT PROTOCOL "\r\n"),
	  "no Upgrade field (RFC 6455, 4.1)" },
	{ "another upgrade", BYTES(ANSWER_START "Upgrade: h2c\r\n" CONNECTION ACCEPT PROTOCOL "\r\n"),
	  "Upgrade is not websocket (RFC 6455, 4.1)" },
	{ "connection without upgrade",
	  BYTES(ANSWER_START UPGRADE "Connection: close, upgraded\r\n" ACCEPT PROTOCOL "\r\n"),
	  "Connection does not hold Upgrade (RFC 6455, 4.1)" },
	{ "no subprotocol", BYTES(ANSWER_START UPGRADE CONNECTION ACCEPT "\r\n"),
	  "the subprotocol we offered was not taken (RFC 6455, 4.1)" },
	{ "another subprotocol",
	  BYTES(ANSWER_START UPGRADE CONNECTION ACCEPT "Sec-WebSocket-Protocol: chat\r\n\r\n"),
	  "Sec-WebSocket-Protocol is not the one we offered (RFC 6455, 4.1)" },
	{ "an extension",
	  BYTES(ANSWER_START UPGRADE CONNECTION ACCEPT PROTOCOL
		"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"),
	  "an extension that we did not offer (RFC 6455, 4.1)" },
	{ "a folded line", BYTES(ANSWER_START "X: a\r\n b\r\n" UPGRADE CONNECTION ACCEPT PROTOCOL "\r\n"),
	  "a malformed line in the handshake's header (RFC 7230, 3.2)" },
	{ "a space before the colon",
	  BYTES(ANSWER_START "Upgrade : websocket\r\n" CONNECTION ACCEPT PROTOCOL "\r\n"),
	  "a malformed line in the handshake's header (RFC 7230, 3.2)" },
	{ "a NUL", BYTES(ANSWER_START UPGRADE CONNECTION ACCEPT "X: \0\r\n" PROTOCOL "\r\n"),
	  "a NUL in the handshake's header (RFC 7230, 3.2)" },
	{ "half an answer", BYTES(ANSWER_START UPGRADE CONNECTION ACCEPT PROTOCOL "\r"), "" },
};

static void holds_the_answer_to_the_rules(void)
{
	static const size_t pieces[] = { 1, 7, 100000 };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(answer_rows); i++) {
		for (size_t p = 0; p < KC_ARRAY_LENGTH(pieces); p++) {
			KC_CLEANUP_BUFFER struct kc_buffer log = KC_BUFFER_INIT(4096);
			struct kc_websocket *websocket = open_websocket();
			const char *got, *expected = answer_rows[i].expected;

			KC_REQUIRE(websocket);
			drop_output(websocket);
			feed(websocket, answer_rows[i].answer, answer_rows[i].length, pieces[p], &log);
			got = kc_buffer_string(&log);
			KC_CHECK_MESSAGE(strlen(got) >= strlen(expected) &&
						 strcmp(got + strlen(got) - strlen(expected), expected) ==
							 0 &&
						 (*expected || !*got),
					 "%s, %zu at once: got \"%s\"", answer_rows[i].name, pieces[p], got);
			KC_CHECK_MESSAGE(kc_websocket_output(websocket)->length == 0,
					 "%s: something was sent", answer_rows[i].name);
			KC_CHECK_INT(kc_websocket_is_open(websocket), strcmp(expected, "open") == 0);
			kc_websocket_release(&websocket);
		}
	}
}

static void caps_the_header_at_16_kib(void)
{
	static const struct {
		size_t filler;
		const char *expected;
	} rows[] = {
		{ KC_WEBSOCKET_HEADER_LIMIT - (sizeof(GOOD_ANSWER) - 1) - 5, "open" },
		{ KC_WEBSOCKET_HEADER_LIMIT - (sizeof(GOOD_ANSWER) - 1) - 4,
		  "error:the handshake's header is over 16 KiB" },
		{ 1 << 20, "error:the handshake's header is over 16 KiB" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer answer = KC_BUFFER_INIT(2 << 20);
		KC_CLEANUP_BUFFER struct kc_buffer log = KC_BUFFER_INIT(4096);
		struct kc_websocket *websocket = open_websocket();

		KC_REQUIRE(websocket);
		KC_CHECK_INT(kc_buffer_append_string(&answer,
						     ANSWER_START UPGRADE CONNECTION ACCEPT PROTOCOL "X: "),
			     0);
		for (size_t b = 0; b < rows[i].filler; b++)
			KC_REQUIRE(kc_buffer_append_string(&answer, "x") == 0);
		KC_CHECK_INT(kc_buffer_append_string(&answer, "\r\n\r\n"), 0);
		feed(websocket, answer.data, answer.length, 4096, &log);
		KC_CHECK_STRING(kc_buffer_string(&log), rows[i].expected);
		kc_websocket_release(&websocket);
	}
}

/* To be hidden where nothing is to be read any more. */
#define HIDDEN_PING "\x89\x01!"
#define RULE_LENGTH                                                                                          \
	"a control frame that is fragmented or over 125 bytes, or a length that is not the shortest form "   \
	"(RFC 6455, 5.2 and 5.5)"
#define X25 "xxxxxxxxxxxxxxxxxxxxxxxxx"
#define X125 X25 X25 X25 X25 X25

static const struct {
	const char *name, *bytes;
	size_t length;
	const char *expected;
} frame_rows[] = {
	{ "text", BYTES("\x81\x02hi"), "text:hi" },
	{ "empty binary", BYTES("\x82\x00"), "binary:" },
	{ "two in one piece",
	  BYTES("\x81\x01"
		"a\x82\x01"
		"b"),
	  "text:a binary:b" },
	{ "16-bit length", BYTES("\x82\x7e\x00\x7e" X125 "y"), "binary:" X125 "y" },
	{ "fragments with a ping between (G10)", BYTES("\x01\x02he\x89\x01p\x80\x03llo"),
	  "ping:p text:hello" },
	{ "empty fragments", BYTES("\x01\x00\x00\x00\x80\x00"), "text:" },
	{ "a code point across fragments", BYTES("\x01\x01\xc3\x80\x01\xa9"), "text:\xc3\xa9" },
	{ "empty ping", BYTES("\x89\x00"), "ping:" },
	{ "longest ping", BYTES("\x89\x7d" X125), "ping:" X125 },
	{ "an empty ping after a full one", BYTES("\x89\x01p\x89\x00"), "ping:p ping:" },
	{ "unsolicited pong", BYTES("\x8a\x01q"), "pong:q" },
	{ "close without a code", BYTES("\x88\x00"), "close:1005:" },
	{ "close with a reason",
	  BYTES("\x88\x05\x03\xe8"
		"bye"),
	  "close:1000:bye" },
	{ "nothing counts after a close", BYTES("\x88\x02\x03\xe8" HIDDEN_PING), "close:1000:" },

	{ "masked (G1)", BYTES("\x81\x82\x01\x02\x03\x04hi"),
	  "error:1002:a masked frame from the server (RFC 6455, 5.1)" },
	{ "masked, empty", BYTES("\x89\x80\x01\x02\x03\x04"),
	  "error:1002:a masked frame from the server (RFC 6455, 5.1)" },
	{ "over the limit (G2)", BYTES("\x82\x7e\x04\x01" HIDDEN_PING),
	  "error:1009:a message over our limit" },
	{ "2^62 bytes announced (G2)", BYTES("\x82\x7f\x40\0\0\0\0\0\0\0" HIDDEN_PING),
	  "error:1009:a message over our limit" },
	{ "2^63 bytes announced (G2)", BYTES("\x82\x7f\x80\0\0\0\0\0\0\0" HIDDEN_PING),
	  "error:1002:" RULE_LENGTH },
	{ "fragments over the limit together", BYTES("\x02\x02hi\x80\x7e\x03\xff" HIDDEN_PING),
	  "error:1009:a message over our limit" },
	{ "16-bit length for 125", BYTES("\x82\x7e\x00\x7d" X125), "error:1002:" RULE_LENGTH },
	{ "64-bit length for 65535", BYTES("\x82\x7f\0\0\0\0\0\0\xff\xff" X125), "error:1002:" RULE_LENGTH },
	{ "fragmented ping (G4)", BYTES("\x09\x01p"), "error:1002:" RULE_LENGTH },
	{ "ping over 125 bytes (G4)", BYTES("\x89\x7e\x00\x7e" X125 "y"), "error:1002:" RULE_LENGTH },
	{ "RSV1, a compressed frame (G5)", BYTES("\xc1\x02hi"),
	  "error:1002:reserved bits are set and no extension was offered (RFC 6455, 5.2)" },
	{ "RSV2", BYTES("\xa1\x02hi"),
	  "error:1002:reserved bits are set and no extension was offered (RFC 6455, 5.2)" },
	{ "RSV3 on a ping", BYTES("\x99\x00"),
	  "error:1002:reserved bits are set and no extension was offered (RFC 6455, 5.2)" },
	{ "opcode 3", BYTES("\x83\x00"), "error:1002:an unknown opcode (RFC 6455, 5.2)" },
	{ "opcode 7", BYTES("\x87\x01x"), "error:1002:an unknown opcode (RFC 6455, 5.2)" },
	{ "opcode 11", BYTES("\x8b\x00"), "error:1002:an unknown opcode (RFC 6455, 5.2)" },
	{ "opcode 15", BYTES("\x8f\x01x"), "error:1002:an unknown opcode (RFC 6455, 5.2)" },
	{ "continuation of nothing", BYTES("\x80\x01x"),
	  "error:1002:a continuation of no message (RFC 6455, 5.4)" },
	{ "continuation after the end",
	  BYTES("\x01\x01"
		"a\x80\x01"
		"b\x80\x01"
		"c"),
	  "text:ab error:1002:a continuation of no message (RFC 6455, 5.4)" },
	{ "a message in a message",
	  BYTES("\x01\x01"
		"a\x81\x01"
		"b"),
	  "error:1002:a new message before the last one has ended (RFC 6455, 5.4)" },
	{ "nothing counts after an error (G3)", BYTES("\x80\x00" HIDDEN_PING),
	  "error:1002:a continuation of no message (RFC 6455, 5.4)" },

	{ "overlong slash (G6)", BYTES("\x81\x02\xc0\xaf"),
	  "error:1007:a text message that is not UTF-8 (RFC 6455, 8.1)" },
	{ "surrogate", BYTES("\x81\x03\xed\xa0\x80"),
	  "error:1007:a text message that is not UTF-8 (RFC 6455, 8.1)" },
	{ "beyond U+10FFFF", BYTES("\x81\x04\xf4\x90\x80\x80"),
	  "error:1007:a text message that is not UTF-8 (RFC 6455, 8.1)" },
	{ "cut code point", BYTES("\x81\x03\xf0\x9f\x98"),
	  "error:1007:a text message that is not UTF-8 (RFC 6455, 8.1)" },
	{ "stray continuation byte", BYTES("\x81\x01\x80"),
	  "error:1007:a text message that is not UTF-8 (RFC 6455, 8.1)" },
	{ "the last code point", BYTES("\x81\x04\xf4\x8f\xbf\xbf"), "text:\xf4\x8f\xbf\xbf" },
	{ "any bytes in a binary message", BYTES("\x82\x02\xff\xfe"), "binary:\xff\xfe" },
	{ "close of one byte", BYTES("\x88\x01\x03"),
	  "error:1002:a close frame of one byte (RFC 6455, 5.5.1)" },
	{ "close reason not UTF-8", BYTES("\x88\x03\x03\xe8\xff"),
	  "error:1007:a close reason that is not UTF-8 (RFC 6455, 8.1)" },
};

static void holds_frames_to_the_rules_in_pieces_of_any_size(void)
{
	static const size_t pieces[] = { 1, 2, 3, 5, 100000 };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(frame_rows); i++) {
		for (size_t p = 0; p < KC_ARRAY_LENGTH(pieces); p++) {
			KC_CLEANUP_BUFFER struct kc_buffer log = KC_BUFFER_INIT(4096);
			struct kc_websocket *websocket = open_websocket();

			KC_REQUIRE(websocket);
			feed(websocket, BYTES(GOOD_ANSWER), pieces[p], &log);
			kc_buffer_clear(&log);
			feed(websocket, frame_rows[i].bytes, frame_rows[i].length, pieces[p], &log);
			KC_CHECK_MESSAGE(strcmp(kc_buffer_string(&log), frame_rows[i].expected) == 0,
					 "%s, %zu at once: got \"%s\", want \"%s\"", frame_rows[i].name,
					 pieces[p], kc_buffer_string(&log), frame_rows[i].expected);
			kc_websocket_release(&websocket);
		}
	}
}

/* Whatever a server sends, it is told the same way however it is cut, and nothing breaks. */
static void treats_any_bytes_alike_in_any_pieces(void)
{
	static const unsigned char likely[] = { 0x81, 0x82, 0x89, 0x8a, 0x88, 0x01,
						0x80, 0x00, 0x02, 0x03, 0xe8, 'a' };
	uint32_t random = 1;

	for (int round = 0; round < 3000; round++) {
		KC_CLEANUP_BUFFER struct kc_buffer whole = KC_BUFFER_INIT(65536);
		KC_CLEANUP_BUFFER struct kc_buffer cut = KC_BUFFER_INIT(65536);
		struct kc_websocket *first = open_websocket(), *second = open_websocket();
		char bytes[40];

		KC_REQUIRE(first && second);
		for (size_t i = 0; i < sizeof(bytes); i++) {
			random = random * 1664525u + 1013904223u;
			bytes[i] =
				(char)(random >> 30 ? likely[(random >> 16) % sizeof(likely)] : random >> 16);
		}
		feed(first, BYTES(GOOD_ANSWER), 100000, &whole);
		feed(second, BYTES(GOOD_ANSWER), 100000, &cut);
		feed(first, bytes, sizeof(bytes), sizeof(bytes), &whole);
		feed(second, bytes, sizeof(bytes), 1, &cut);
		KC_CHECK_MESSAGE(whole.length == cut.length && memcmp(whole.data, cut.data, cut.length) == 0,
				 "round %d: \"%s\" whole, \"%s\" cut", round, kc_buffer_string(&whole),
				 kc_buffer_string(&cut));
		kc_websocket_release(&first);
		kc_websocket_release(&second);
	}
}

static void accepts_frames_that_come_with_the_answer(void)
{
	KC_CLEANUP_BUFFER struct kc_buffer log = KC_BUFFER_INIT(4096);
	struct kc_websocket *websocket = open_websocket();

	KC_REQUIRE(websocket);
	feed(websocket, BYTES(GOOD_ANSWER "\x89\x01p\x81\x01t"), 100000, &log);
	KC_CHECK_STRING(kc_buffer_string(&log), "open ping:p text:t");
	kc_websocket_release(&websocket);
}

static void knows_the_close_codes(void)
{
	static const struct {
		unsigned int code;
		bool is_right;
	} rows[] = { { 0, false },    { 999, false },  { 1000, true },	{ 1003, true }, { 1004, false },
		     { 1005, false }, { 1006, false }, { 1007, true },	{ 1011, true }, { 1014, true },
		     { 1015, false }, { 1016, false }, { 2999, false }, { 3000, true }, { 4999, true },
		     { 5000, false }, { 65535, false } };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer log = KC_BUFFER_INIT(4096);
		const char frame[4] = { '\x88', 2, (char)(rows[i].code >> 8), (char)rows[i].code };
		struct kc_websocket *websocket = open_websocket();
		char right[32];

		KC_REQUIRE(websocket);
		feed(websocket, BYTES(GOOD_ANSWER), 100000, &log);
		kc_buffer_clear(&log);
		feed(websocket, frame, sizeof(frame), 1, &log);
		(void)snprintf(right, sizeof(right), "close:%u:", rows[i].code);
		KC_CHECK_STRING(kc_buffer_string(&log),
				rows[i].is_right
					? right
					: "error:1002:a close code that must not be sent (RFC 6455, 7.4)");
		kc_websocket_release(&websocket);
	}
}

static void answers_only_closes_and_masks_what_it_sends(void)
{
	static const struct {
		const char *name, *bytes;
		size_t length;
		const char *sent;
		size_t sent_length;
	} rows[] = {
		{ "a ping gets nothing", BYTES("\x89\x01p"), BYTES("") },
		{ "a message gets nothing", BYTES("\x81\x02hi"), BYTES("") },
		{ "a close gets its code back",
		  BYTES("\x88\x05\x03\xe9"
			"bye"),
		  BYTES("\x88\x82\0\0\0\0\x03\xe9") },
		{ "a close without a code gets none", BYTES("\x88\x00"), BYTES("\x88\x80\0\0\0\0") },
		{ "a masked frame gets 1002", BYTES("\x89\x80\x01\x02\x03\x04"),
		  BYTES("\x88\x82\0\0\0\0\x03\xea") },
		{ "too much gets 1009", BYTES("\x82\x7e\x04\x01y"), BYTES("\x88\x82\0\0\0\0\x03\xf1") },
		{ "bad UTF-8 gets 1007", BYTES("\x81\x01\xff"), BYTES("\x88\x82\0\0\0\0\x03\xef") },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer log = KC_BUFFER_INIT(4096);
		struct kc_websocket *websocket = open_websocket();
		const struct kc_buffer *output;

		KC_REQUIRE(websocket);
		feed(websocket, BYTES(GOOD_ANSWER), 100000, &log);
		drop_output(websocket);
		feed(websocket, rows[i].bytes, rows[i].length, 100000, &log);
		output = kc_websocket_output(websocket);
		KC_CHECK_MESSAGE(output->length == rows[i].sent_length &&
					 (output->length == 0 ||
					  memcmp(output->data, rows[i].sent, output->length) == 0),
				 "%s: %zu bytes were sent", rows[i].name, output->length);
		kc_websocket_release(&websocket);
	}
}

static void sends_frames_of_every_length_form(void)
{
	static const struct {
		size_t length;
		const char *header;
		size_t header_length;
	} rows[] = { { 0, BYTES("\x82\x80\0\0\0\0") },
		     { 125, BYTES("\x82\xfd\0\0\0\0") },
		     { 126, BYTES("\x82\xfe\x00\x7e\0\0\0\0") },
		     { 60000, BYTES("\x82\xfe\xea\x60\0\0\0\0") } };
	static const char payload[60000] = "payload";

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer log = KC_BUFFER_INIT(4096);
		struct kc_websocket *websocket = open_websocket();
		struct kc_error err = { 0 };
		const struct kc_buffer *output;

		KC_REQUIRE(websocket);
		feed(websocket, BYTES(GOOD_ANSWER), 100000, &log);
		drop_output(websocket);
		KC_CHECK_OK(kc_websocket_send(websocket, KC_WEBSOCKET_BINARY, payload, rows[i].length, &err),
			    err);
		output = kc_websocket_output(websocket);
		KC_CHECK_INT(output->length, rows[i].header_length + rows[i].length);
		KC_CHECK(memcmp(output->data, rows[i].header, rows[i].header_length) == 0);
		KC_CHECK(memcmp(output->data + rows[i].header_length, payload, rows[i].length) == 0);
		kc_websocket_sent(websocket, 1);
		KC_CHECK_INT(output->length, rows[i].header_length + rows[i].length - 1);
		KC_CHECK_INT((unsigned char)output->data[0], (unsigned char)rows[i].header[1]);
		kc_websocket_release(&websocket);
	}
}

static void sends_nothing_before_opening_and_after_the_end(void)
{
	KC_CLEANUP_BUFFER struct kc_buffer log = KC_BUFFER_INIT(4096);
	struct kc_websocket *websocket = open_websocket();
	struct kc_error err = { 0 };

	KC_REQUIRE(websocket);
	KC_CHECK_INT(kc_websocket_send(websocket, KC_WEBSOCKET_PONG, "", 0, &err), -ENOTCONN);
	feed(websocket, BYTES(GOOD_ANSWER), 100000, &log);
	kc_error_clear(&err);
	KC_CHECK_OK(kc_websocket_send(websocket, KC_WEBSOCKET_PONG, "", 0, &err), err);
	KC_CHECK_INT(kc_websocket_send(websocket, KC_WEBSOCKET_CLOSE, "", 0, &err), -EINVAL);
	feed(websocket, BYTES("\x88\x00"), 100000, &log);
	KC_CHECK_INT(kc_websocket_send(websocket, KC_WEBSOCKET_PONG, "", 0, &err), -ENOTCONN);
	kc_websocket_release(&websocket);
}

/* A server that pings and never reads must not fill our memory. */
static void caps_what_waits_to_be_sent(void)
{
	KC_CLEANUP_BUFFER struct kc_buffer log = KC_BUFFER_INIT(4096);
	struct kc_websocket *websocket = open_websocket();
	struct kc_error err = { 0 };
	int status = 0;
	int sent = 0;

	KC_REQUIRE(websocket);
	feed(websocket, BYTES(GOOD_ANSWER), 100000, &log);
	while (status == 0 && sent++ < 100000)
		status = kc_websocket_send(websocket, KC_WEBSOCKET_PONG, X125, 125, &err);
	KC_CHECK_INT(status, -E2BIG);
	KC_CHECK(kc_websocket_output(websocket)->length <= KC_WEBSOCKET_OUTPUT_LIMIT);
	kc_websocket_release(&websocket);
}

static int no_entropy(void *context, void *bytes, size_t length)
{
	(void)context;
	(void)bytes;
	(void)length;
	return -EIO;
}

static void fails_without_entropy(void)
{
	struct kc_websocket_options options = {
		.host = "localhost", .path = "/ws", .subprotocol = "tty", .entropy = { .fill = no_entropy }
	};
	struct kc_websocket *first = NULL, *second = NULL;
	struct kc_error err = { 0 };

	KC_CHECK_INT(kc_websocket_new(&options, &first, &err), -EIO);
	KC_CHECK(!first);
	options.entropy.fill = NULL;
	kc_error_clear(&err);
	KC_REQUIRE_OK(kc_websocket_new(&options, &first, &err), err);
	KC_CHECK_OK(kc_websocket_new(&options, &second, &err), err);
	if (second)
		KC_CHECK(strcmp(kc_buffer_string(kc_websocket_output(first)),
				kc_buffer_string(kc_websocket_output(second))) != 0);
	kc_websocket_release(&first);
	kc_websocket_release(&second);
}

KC_TEST_SUITE(websocket, KC_LABEL_FAST, KC_TEST(sends_the_request_of_the_rfc),
	      KC_TEST(refuses_a_request_that_is_not_plain), KC_TEST(holds_the_answer_to_the_rules),
	      KC_TEST(caps_the_header_at_16_kib), KC_TEST(holds_frames_to_the_rules_in_pieces_of_any_size),
	      KC_TEST(treats_any_bytes_alike_in_any_pieces),
	      KC_TEST(accepts_frames_that_come_with_the_answer), KC_TEST(knows_the_close_codes),
	      KC_TEST(answers_only_closes_and_masks_what_it_sends),
	      KC_TEST(sends_frames_of_every_length_form),
	      KC_TEST(sends_nothing_before_opening_and_after_the_end), KC_TEST(caps_what_waits_to_be_sent),
	      KC_TEST(fails_without_entropy));
