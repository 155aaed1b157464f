#include "net/websocket.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <wslay/wslay.h>

#include "net/websocket_internal.h"

#define CONTROL_LIMIT 125 /* RFC 6455 section 5.5 */
#define NO_MESSAGE 0xff	  /* no opcode has this value */

enum state { STATE_HANDSHAKE, STATE_OPEN, STATE_DONE };

struct kc_websocket {
	enum state state;
	struct kc_entropy entropy;
	struct kc_websocket_handshake handshake;
	struct kc_buffer header;
	struct kc_buffer message; /* of the fragments so far */
	struct kc_buffer output;
	wslay_frame_context_ptr frames;
	const uint8_t *input; /* fed and not used up */
	size_t input_length;
	bool in_frame;		/* the header of a frame has been seen, not all of its payload */
	bool is_delivered;	/* `message` was given out and is to be forgotten */
	uint8_t message_opcode; /* NO_MESSAGE between messages */
	uint64_t frame_left;
	char control[CONTROL_LIMIT + 1];
	size_t control_length;
};

int kc_entropy_fill(const struct kc_entropy *entropy, void *bytes, size_t length, struct kc_error *err)
{
	int status;

	if (!entropy->fill) /* up to 256 bytes come whole, getrandom(2) */
		status = getrandom(bytes, length, 0) == (ssize_t)length ? 0 : -EIO;
	else
		status = entropy->fill(entropy->context, bytes, length);
	return status < 0 ? kc_error_errno(err, status, "get random bytes") : 0;
}

static ssize_t take_input(uint8_t *buffer, size_t size, int flags, void *context)
{
	struct kc_websocket *websocket = context;
	size_t length = size < websocket->input_length ? size : websocket->input_length;

	(void)flags;
	if (length == 0)
		return -1; /* wslay makes WSLAY_ERR_WANT_READ of it */
	memcpy(buffer, websocket->input, length);
	websocket->input += length;
	websocket->input_length -= length;
	return (ssize_t)length;
}

static ssize_t put_output(const uint8_t *bytes, size_t length, int flags, void *context)
{
	struct kc_websocket *websocket = context;

	(void)flags;
	return kc_buffer_append(&websocket->output, bytes, length) < 0 ? -1 : (ssize_t)length;
}

static int make_mask(uint8_t *bytes, size_t length, void *context)
{
	struct kc_websocket *websocket = context;

	return kc_entropy_fill(&websocket->entropy, bytes, length, NULL) < 0 ? -1 : 0;
}

int kc_websocket_new(const struct kc_websocket_options *options, struct kc_websocket **ret_websocket,
		     struct kc_error *err)
{
	static const struct wslay_frame_callbacks callbacks = { .send_callback = put_output,
								.recv_callback = take_input,
								.genmask_callback = make_mask };
	struct kc_websocket *websocket = calloc(1, sizeof(*websocket));
	int status;

	if (!websocket)
		return kc_error_errno(err, ENOMEM, "open a websocket");
	websocket->entropy = options->entropy;
	websocket->message_opcode = NO_MESSAGE;
	kc_buffer_init(&websocket->header, KC_WEBSOCKET_HEADER_LIMIT);
	kc_buffer_init(&websocket->message, options->message_limit);
	kc_buffer_init(&websocket->output, KC_WEBSOCKET_OUTPUT_LIMIT);
	status = kc_websocket_request(options, &websocket->output, &websocket->handshake, err);
	if (status == 0 && wslay_frame_context_init(&websocket->frames, &callbacks, websocket) != 0)
		status = kc_error_errno(err, ENOMEM, "open a websocket");
	if (status < 0) {
		kc_websocket_release(&websocket);
		return status;
	}
	*ret_websocket = websocket;
	return 0;
}

void kc_websocket_release(struct kc_websocket **websocket)
{
	struct kc_websocket *old = *websocket;

	*websocket = NULL;
	if (!old)
		return;
	wslay_frame_context_free(old->frames);
	kc_buffer_release(&old->header);
	kc_buffer_release(&old->message);
	kc_buffer_release(&old->output);
	free(old);
}

void kc_websocket_feed(struct kc_websocket *websocket, const void *bytes, size_t length)
{
	websocket->input = bytes;
	websocket->input_length = length;
}

static int send_frame(struct kc_websocket *websocket, uint8_t opcode, const void *bytes, size_t length,
		      struct kc_error *err)
{
	struct wslay_frame_iocb frame = { .fin = 1,
					  .opcode = opcode,
					  .mask = 1,
					  .payload_length = length,
					  .data = bytes,
					  .data_length = length };

	if (wslay_frame_send(websocket->frames, &frame) != (ssize_t)length)
		return kc_error_set(err, E2BIG,
				    "send a websocket frame: the peer does not take what is queued, or no "
				    "memory or entropy");
	return 0;
}

/* Queues our close frame, the last one sent. Without a code there is no payload, RFC 6455 section 5.5.1. */
static int finish(struct kc_websocket *websocket, uint16_t code, struct kc_error *err)
{
	const uint8_t payload[2] = { (uint8_t)(code >> 8), (uint8_t)code };

	websocket->state = STATE_DONE;
	websocket->input_length = 0;
	return send_frame(websocket, WSLAY_CONNECTION_CLOSE, payload,
			  code == WSLAY_CODE_NO_STATUS_RCVD ? 0 : sizeof(payload), err);
}

static int refuse(struct kc_websocket *websocket, uint16_t code, const char *rule,
		  struct kc_websocket_event *ret_event, struct kc_error *err)
{
	/* A server that failed the handshake does not speak websocket: there is nobody to send a frame to. */
	int status = websocket->state == STATE_OPEN ? finish(websocket, code, err) : 0;

	if (status < 0)
		return status;
	websocket->state = STATE_DONE;
	*ret_event = (struct kc_websocket_event){
		.type = KC_WEBSOCKET_ERROR, .data = rule, .length = strlen(rule), .code = code
	};
	return 1;
}

static int next_of_handshake(struct kc_websocket *websocket, struct kc_websocket_event *ret_event,
			     struct kc_error *err)
{
	struct kc_buffer *header = &websocket->header;
	const char *wrong;

	while (header->length < 4 || memcmp(header->data + header->length - 4, "\r\n\r\n", 4) != 0) {
		int status;

		if (websocket->input_length == 0)
			return 0;
		status = kc_buffer_append(header, websocket->input, 1);
		if (status == -E2BIG)
			return refuse(websocket, 0, "the handshake's header is over 16 KiB", ret_event, err);
		if (status < 0)
			return kc_error_errno(err, status, "websocket handshake");
		websocket->input++;
		websocket->input_length--;
	}
	wrong = kc_websocket_check_answer(&websocket->handshake, header->data, header->length);
	if (wrong)
		return refuse(websocket, 0, wrong, ret_event, err);
	websocket->state = STATE_OPEN;
	*ret_event = (struct kc_websocket_event){ .type = KC_WEBSOCKET_OPEN, .data = "" };
	return 1;
}

/* RFC 3629: what may follow each lead byte, after table 3-7 of the Unicode standard. */
static bool is_utf8(const char *bytes, size_t length)
{
	static const struct {
		unsigned char first_lead, last_lead, follow, low, high; /* low..high bound the second byte */
	} forms[] = {
		{ 0x00, 0x7f, 0, 0, 0 },       { 0xc2, 0xdf, 1, 0x80, 0xbf }, { 0xe0, 0xe0, 2, 0xa0, 0xbf },
		{ 0xe1, 0xec, 2, 0x80, 0xbf }, { 0xed, 0xed, 2, 0x80, 0x9f }, { 0xee, 0xef, 2, 0x80, 0xbf },
		{ 0xf0, 0xf0, 3, 0x90, 0xbf }, { 0xf1, 0xf3, 3, 0x80, 0xbf }, { 0xf4, 0xf4, 3, 0x80, 0x8f },
	};
	const unsigned char *next = (const unsigned char *)bytes;
	const unsigned char *end = next + length;

	while (next < end) {
		size_t form = 0;

		while (form < KC_ARRAY_LENGTH(forms) &&
		       !(*next >= forms[form].first_lead && *next <= forms[form].last_lead))
			form++;
		if (form == KC_ARRAY_LENGTH(forms) || end - next <= forms[form].follow)
			return false;
		for (size_t i = 1; i <= forms[form].follow; i++)
			if (next[i] < (i == 1 ? forms[form].low : 0x80) ||
			    next[i] > (i == 1 ? forms[form].high : 0xbf))
				return false;
		next += forms[form].follow + 1;
	}
	return true;
}

/* RFC 6455 section 7.4 and the registry it founded: 1012 to 1014 came later; 1004 to 1006 and 1015 never go
 * over the wire. */
static bool is_close_code(uint16_t code)
{
	static const struct {
		uint16_t first, last;
	} ranges[] = { { 1000, 1003 }, { 1007, 1014 }, { 3000, 4999 } };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(ranges); i++)
		if (code >= ranges[i].first && code <= ranges[i].last)
			return true;
	return false;
}

static bool is_masked(const struct kc_websocket *websocket, const struct wslay_frame_iocb *frame)
{
	(void)websocket;
	return frame->mask;
}

static bool has_reserved_bits(const struct kc_websocket *websocket, const struct wslay_frame_iocb *frame)
{
	(void)websocket;
	return frame->rsv != WSLAY_RSV_NONE;
}

static bool has_unknown_opcode(const struct kc_websocket *websocket, const struct wslay_frame_iocb *frame)
{
	(void)websocket;
	return (frame->opcode > WSLAY_BINARY_FRAME && !wslay_is_ctrl_frame(frame->opcode)) ||
	       frame->opcode > WSLAY_PONG;
}

static bool continues_nothing(const struct kc_websocket *websocket, const struct wslay_frame_iocb *frame)
{
	return frame->opcode == WSLAY_CONTINUATION_FRAME && websocket->message_opcode == NO_MESSAGE;
}

static bool interrupts_a_message(const struct kc_websocket *websocket, const struct wslay_frame_iocb *frame)
{
	return (frame->opcode == WSLAY_TEXT_FRAME || frame->opcode == WSLAY_BINARY_FRAME) &&
	       websocket->message_opcode != NO_MESSAGE;
}

static bool is_too_big(const struct kc_websocket *websocket, const struct wslay_frame_iocb *frame)
{
	return !wslay_is_ctrl_frame(frame->opcode) &&
	       frame->payload_length > websocket->message.limit - websocket->message.length;
}

/* What the header of a frame must not be, in the order of checking. */
static const struct rule {
	bool (*is_broken)(const struct kc_websocket *websocket, const struct wslay_frame_iocb *frame);
	uint16_t code;
	const char *text;
} rules[] = {
	{ is_masked, WSLAY_CODE_PROTOCOL_ERROR, "a masked frame from the server (RFC 6455, 5.1)" },
	{ has_reserved_bits, WSLAY_CODE_PROTOCOL_ERROR,
	  "reserved bits are set and no extension was offered (RFC 6455, 5.2)" },
	{ has_unknown_opcode, WSLAY_CODE_PROTOCOL_ERROR, "an unknown opcode (RFC 6455, 5.2)" },
	{ continues_nothing, WSLAY_CODE_PROTOCOL_ERROR, "a continuation of no message (RFC 6455, 5.4)" },
	{ interrupts_a_message, WSLAY_CODE_PROTOCOL_ERROR,
	  "a new message before the last one has ended (RFC 6455, 5.4)" },
	{ is_too_big, WSLAY_CODE_MESSAGE_TOO_BIG, "a message over our limit" },
};

static const struct rule *broken_rule(const struct kc_websocket *websocket,
				      const struct wslay_frame_iocb *frame)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rules); i++)
		if (rules[i].is_broken(websocket, frame))
			return &rules[i];
	return NULL;
}

static void begin_frame(struct kc_websocket *websocket, const struct wslay_frame_iocb *frame)
{
	websocket->in_frame = true;
	websocket->frame_left = frame->payload_length;
	if (wslay_is_ctrl_frame(frame->opcode))
		websocket->control_length = 0;
	else if (frame->opcode != WSLAY_CONTINUATION_FRAME)
		websocket->message_opcode = frame->opcode;
}

static int take_payload(struct kc_websocket *websocket, const struct wslay_frame_iocb *frame)
{
	websocket->frame_left -= frame->data_length;
	if (!wslay_is_ctrl_frame(frame->opcode))
		return frame->data_length
			       ? kc_buffer_append(&websocket->message, frame->data, frame->data_length)
			       : 0;
	/* wslay refuses control frames over 125 bytes before it gives out any of them. */
	memcpy(websocket->control + websocket->control_length, frame->data, frame->data_length);
	websocket->control_length += frame->data_length;
	websocket->control[websocket->control_length] = '\0';
	return 0;
}

static int end_close(struct kc_websocket *websocket, struct kc_websocket_event *ret_event,
		     struct kc_error *err)
{
	const unsigned char *bytes = (const unsigned char *)websocket->control;
	uint16_t code = WSLAY_CODE_NO_STATUS_RCVD;
	int status;

	if (websocket->control_length == 1)
		return refuse(websocket, WSLAY_CODE_PROTOCOL_ERROR,
			      "a close frame of one byte (RFC 6455, 5.5.1)", ret_event, err);
	if (websocket->control_length >= 2) {
		code = (uint16_t)(bytes[0] << 8 | bytes[1]);
		if (!is_close_code(code))
			return refuse(websocket, WSLAY_CODE_PROTOCOL_ERROR,
				      "a close code that must not be sent (RFC 6455, 7.4)", ret_event, err);
		if (!is_utf8(websocket->control + 2, websocket->control_length - 2))
			return refuse(websocket, WSLAY_CODE_INVALID_FRAME_PAYLOAD_DATA,
				      "a close reason that is not UTF-8 (RFC 6455, 8.1)", ret_event, err);
	}
	status = finish(websocket, code, err);
	if (status < 0)
		return status;
	*ret_event = (struct kc_websocket_event){ .type = KC_WEBSOCKET_CLOSE, .data = "", .code = code };
	if (websocket->control_length > 2) {
		ret_event->data = websocket->control + 2;
		ret_event->length = websocket->control_length - 2;
	}
	return 1;
}

static int end_control(struct kc_websocket *websocket, uint8_t opcode, struct kc_websocket_event *ret_event,
		       struct kc_error *err)
{
	if (websocket->control_length == 0)
		websocket->control[0] = '\0';
	if (opcode == WSLAY_CONNECTION_CLOSE)
		return end_close(websocket, ret_event, err);
	*ret_event = (struct kc_websocket_event){ .type = opcode == WSLAY_PING ? KC_WEBSOCKET_PING
									       : KC_WEBSOCKET_PONG,
						  .data = websocket->control,
						  .length = websocket->control_length };
	return 1;
}

/* 1 at the end of a message, 0 between its fragments. */
static int end_data(struct kc_websocket *websocket, bool is_last, struct kc_websocket_event *ret_event,
		    struct kc_error *err)
{
	bool is_text = websocket->message_opcode == WSLAY_TEXT_FRAME;

	if (!is_last)
		return 0;
	if (is_text && !is_utf8(kc_buffer_string(&websocket->message), websocket->message.length))
		return refuse(websocket, WSLAY_CODE_INVALID_FRAME_PAYLOAD_DATA,
			      "a text message that is not UTF-8 (RFC 6455, 8.1)", ret_event, err);
	websocket->message_opcode = NO_MESSAGE;
	websocket->is_delivered = true;
	*ret_event = (struct kc_websocket_event){ .type = is_text ? KC_WEBSOCKET_TEXT : KC_WEBSOCKET_BINARY,
						  .data = kc_buffer_string(&websocket->message),
						  .length = websocket->message.length };
	return 1;
}

/* 1 when this piece of a frame completed an event, 0 when not. */
static int take_piece(struct kc_websocket *websocket, const struct wslay_frame_iocb *frame,
		      struct kc_websocket_event *ret_event, struct kc_error *err)
{
	int status;

	if (!websocket->in_frame) {
		const struct rule *rule = broken_rule(websocket, frame);

		if (rule)
			return refuse(websocket, rule->code, rule->text, ret_event, err);
		begin_frame(websocket, frame);
	}
	status = take_payload(websocket, frame);
	if (status < 0)
		return kc_error_errno(err, status, "receive a websocket message");
	if (websocket->frame_left)
		return 0;
	websocket->in_frame = false;
	return wslay_is_ctrl_frame(frame->opcode) ? end_control(websocket, frame->opcode, ret_event, err)
						  : end_data(websocket, frame->fin, ret_event, err);
}

static int next_of_frames(struct kc_websocket *websocket, struct kc_websocket_event *ret_event,
			  struct kc_error *err)
{
	for (;;) {
		struct wslay_frame_iocb frame = { 0 };
		bool had_input = websocket->input_length > 0;
		ssize_t got = wslay_frame_recv(websocket->frames, &frame);
		int status;

		/* wslay asks for input once for each part of a frame: it may want more although there is
		 * more. */
		if (got == WSLAY_ERR_WANT_READ && had_input)
			continue;
		if (got == WSLAY_ERR_WANT_READ)
			return 0;
		if (got < 0)
			return refuse(websocket, WSLAY_CODE_PROTOCOL_ERROR,
				      "a control frame that is fragmented or over 125 bytes, or a length "
				      "that is not "
				      "the shortest form (RFC 6455, 5.2 and 5.5)",
				      ret_event, err);
		status = take_piece(websocket, &frame, ret_event, err);
		if (status != 0)
			return status;
	}
}

int kc_websocket_next(struct kc_websocket *websocket, struct kc_websocket_event *ret_event,
		      struct kc_error *err)
{
	if (websocket->is_delivered)
		kc_buffer_clear(&websocket->message);
	websocket->is_delivered = false;
	switch (websocket->state) {
	case STATE_HANDSHAKE:
		return next_of_handshake(websocket, ret_event, err);
	case STATE_OPEN:
		return next_of_frames(websocket, ret_event, err);
	case STATE_DONE:
		break;
	}
	return 0;
}

int kc_websocket_send(struct kc_websocket *websocket, enum kc_websocket_event_type type, const void *bytes,
		      size_t length, struct kc_error *err)
{
	static const uint8_t opcodes[] = { [KC_WEBSOCKET_TEXT] = WSLAY_TEXT_FRAME,
					   [KC_WEBSOCKET_BINARY] = WSLAY_BINARY_FRAME,
					   [KC_WEBSOCKET_PING] = WSLAY_PING,
					   [KC_WEBSOCKET_PONG] = WSLAY_PONG };

	if (websocket->state != STATE_OPEN)
		return kc_error_set(err, ENOTCONN, "send a websocket frame: the connection is not open");
	if (type < KC_WEBSOCKET_TEXT || type > KC_WEBSOCKET_PONG)
		return kc_error_set(err, EINVAL, "send a websocket frame: not a type that is sent");
	return send_frame(websocket, opcodes[type], bytes, length, err);
}

const struct kc_buffer *kc_websocket_output(const struct kc_websocket *websocket)
{
	return &websocket->output;
}

void kc_websocket_sent(struct kc_websocket *websocket, size_t length)
{
	struct kc_buffer *output = &websocket->output;

	if (length == 0)
		return;
	memmove(output->data, output->data + length, output->length - length + 1);
	output->length -= length;
}

bool kc_websocket_is_open(const struct kc_websocket *websocket)
{
	return websocket->state == STATE_OPEN;
}
