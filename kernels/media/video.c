/* video.c - the one file that meets FFmpeg: videos as frames, pictures as pixels.
 *
 * Opening a video reads all packets once without decoding them: so the number of frames, their
 * times and the key frames are known, whatever the container claims. Passing over frames jumps to
 * the last key frame in front of the wanted one.
 */
#include "kernels/base/files.h"
#include "kernels/base/limits.h"
#include "kernels/base/log.h"
#include "kernels/media/frames_internal.h"
#include "kernels/media/image.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/display.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One frame as the packets tell it. */
typedef struct entry {
    int64_t pts, dts;
    bool    key;
} entry;

typedef struct video {
    st_frame_source    source;
    st_arena           arena;
    const char        *path;
    AVFormatContext   *format;
    AVCodecContext    *codec;
    struct SwsContext *scaler;
    AVPacket          *packet;
    AVFrame           *incoming;        /* what the decoder writes, and empties when it has none */
    AVFrame           *frame;           /* the newest decoded one, when have_frame */
    int                stream;
    int                turn;            /* quarter turns clockwise to stand upright */
    entry             *entries;         /* (count), by pts */
    size_t             count, capacity;
    bool               counted;         /* no times in the file: frames are numbered as they come */
    bool               have_frame, drained;
    int64_t            decoded;         /* frames since the start, where `counted` */
    int64_t            frame_pts;
    int64_t            rows, columns;   /* as coded */
    unsigned char     *rgb, *turned;
} video;

static st_status failed(const char *path, const char *what, int code)
{
    char words[AV_ERROR_MAX_STRING_SIZE];
    av_make_error_string(words, sizeof words, code);
    return ST_FAIL(code == AVERROR(ENOENT) || code == AVERROR(EACCES) ? ST_ERR_IO : ST_ERR_FORMAT,
                   "%s: %s%s%s", path, what, what[0] ? ": " : "", words);
}

/* --- pixels ---------------------------------------------------------------------------------- */

/* RGB8 of a decoded frame, in `columns` x `rows`. */
static st_status convert(struct SwsContext **scaler, unsigned char *rgb, int64_t rows,
                         int64_t columns, const AVFrame *frame, const char *path)
{
    if (!sws_isSupportedInput((enum AVPixelFormat)frame->format))      /* or swscale aborts */
        return ST_FAIL(ST_ERR_UNSUPPORTED, "%s: pixels of this kind cannot become RGB", path);
    const int flags = SWS_BILINEAR | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_BITEXACT;
    *scaler = sws_getCachedContext(*scaler, frame->width, frame->height,
                                   (enum AVPixelFormat)frame->format, (int)columns, (int)rows,
                                   AV_PIX_FMT_RGB24, flags, NULL, NULL, NULL);
    if (!*scaler)
        return ST_FAIL(ST_ERR_MEMORY, "%s: no memory to make RGB", path);

    int *from, *to, from_range, to_range, brightness, contrast, saturation;
    if (sws_getColorspaceDetails(*scaler, &from, &from_range, &to, &to_range, &brightness,
                                 &contrast, &saturation) >= 0) {
        const int *table = frame->colorspace == AVCOL_SPC_UNSPECIFIED
                               ? from : sws_getCoefficients(frame->colorspace);
        from_range = from_range || frame->color_range == AVCOL_RANGE_JPEG;
        sws_setColorspaceDetails(*scaler, table, from_range, to, to_range, brightness, contrast,
                                 saturation);
    }
    unsigned char *const planes[4] = {rgb, NULL, NULL, NULL};
    const int strides[4] = {(int)(3 * columns), 0, 0, 0};
    const int done = sws_scale(*scaler, (const unsigned char *const *)frame->data, frame->linesize,
                               0, frame->height, planes, strides);
    return done == (int)rows ? st_ok()
                             : ST_FAIL(ST_ERR_FORMAT, "%s: a frame cannot become RGB", path);
}

/* Quarter turns clockwise; `to` has the sides of `from` swapped for an odd number. */
static void turn_frame(unsigned char *to, const unsigned char *from, int64_t rows, int64_t columns,
                       int turns)
{
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t c = 0; c < columns; c++) {
            const int64_t at = turns == 1   ? c * rows + (rows - 1 - r)
                               : turns == 2 ? (rows - 1 - r) * columns + (columns - 1 - c)
                                            : (columns - 1 - c) * rows + r;
            memcpy(to + 3 * at, from + 3 * (r * columns + c), 3);
        }
    }
}

/* --- opening --------------------------------------------------------------------------------- */

/* Quarter turns clockwise that the container asks for. */
static int display_turns(const AVStream *stream)
{
#if LIBAVFORMAT_VERSION_MAJOR >= 61
    const AVPacketSideData *side =
        av_packet_side_data_get(stream->codecpar->coded_side_data,
                                stream->codecpar->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
    const int32_t *matrix = side ? (const int32_t *)(const void *)side->data : NULL;
#else
    const int32_t *matrix = (const int32_t *)(const void *)av_stream_get_side_data(
        stream, AV_PKT_DATA_DISPLAYMATRIX, NULL);
#endif
    if (!matrix)
        return 0;
    const double degrees = -av_display_rotation_get(matrix);
    if (!isfinite(degrees))
        return 0;
    return (int)((lround(degrees / 90.0) % 4 + 4) % 4);
}

/* Only plain files: a playlist must not lead anywhere else. */
static st_status open_format(video *v)
{
    char url[4200];
    snprintf(url, sizeof url, "file:%s", v->path);
    AVDictionary *options = NULL;
    av_dict_set(&options, "protocol_whitelist", "file", 0);
    int code = avformat_open_input(&v->format, url, NULL, &options);
    av_dict_free(&options);
    if (code < 0) {
        const bool refused = code == AVERROR(ENOENT) || code == AVERROR(EACCES);
        return failed(v->path, refused ? "" : "not a video", code);
    }
    code = avformat_find_stream_info(v->format, NULL);
    if (code < 0)
        return failed(v->path, "not a video", code);
    v->stream = av_find_best_stream(v->format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    if (v->stream < 0 ||
        (v->format->streams[v->stream]->disposition & AV_DISPOSITION_ATTACHED_PIC))
        return ST_FAIL(ST_ERR_FORMAT, "%s: no video stream", v->path);
    for (unsigned i = 0; i < v->format->nb_streams; i++) {
        if ((int)i != v->stream)
            v->format->streams[i]->discard = AVDISCARD_ALL;
    }
    return st_ok();
}

static int by_pts(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    return x->pts < y->pts ? -1 : x->pts > y->pts;
}

/* Every packet of the stream, without decoding. A cut file ends where it ends. */
static st_status list_packets(video *v)
{
    while (av_read_frame(v->format, v->packet) >= 0) {
        const AVPacket *p = v->packet;
        if (p->stream_index == v->stream && !(p->flags & AV_PKT_FLAG_DISCARD)) {
            ST_TRY(ST_GROW(&v->arena, &v->entries, &v->capacity, v->count + 1));
            v->counted = v->counted || p->pts == AV_NOPTS_VALUE;
            v->entries[v->count++] =
                (entry){p->pts, p->dts != AV_NOPTS_VALUE ? p->dts : p->pts,
                        (p->flags & AV_PKT_FLAG_KEY) != 0};
        }
        av_packet_unref(v->packet);
    }
    if (v->count == 0)
        return ST_FAIL(ST_ERR_FORMAT, "%s: the video has no frames", v->path);
    const int64_t promised = v->format->streams[v->stream]->nb_frames;
    if (promised > (int64_t)v->count)
        st_log(ST_LEVEL_WARN, "media", "%s: the container names %lld frames, %zu are there",
               v->path, (long long)promised, v->count);
    if (!v->counted)
        qsort(v->entries, v->count, sizeof *v->entries, by_pts);
    return st_ok();
}

static st_status open_codec(video *v)
{
    const AVCodecParameters *parameters = v->format->streams[v->stream]->codecpar;
    const AVCodec *decoder = avcodec_find_decoder(parameters->codec_id);
    if (!decoder)
        return ST_FAIL(ST_ERR_UNSUPPORTED, "%s: no decoder for %s", v->path,
                       avcodec_get_name(parameters->codec_id));
    v->codec = avcodec_alloc_context3(decoder);
    if (!v->codec)
        return ST_FAIL(ST_ERR_MEMORY, "%s: no memory for a decoder", v->path);
    int code = avcodec_parameters_to_context(v->codec, parameters);
    v->codec->thread_count = 0;
    v->codec->pkt_timebase = v->format->streams[v->stream]->time_base;
    if (code >= 0)
        code = avcodec_open2(v->codec, decoder, NULL);
    return code < 0 ? failed(v->path, "cannot decode", code) : st_ok();
}

static void describe(video *v)
{
    const AVStream *stream = v->format->streams[v->stream];
    const double    tick_s = av_q2d(stream->time_base);
    const double    span_s =
        v->counted ? 0.0 : (double)(v->entries[v->count - 1].pts - v->entries[0].pts) * tick_s;
    double fps = stream->avg_frame_rate.den ? av_q2d(stream->avg_frame_rate) : 0.0;
    if (!(fps > 0.0) && stream->r_frame_rate.den)
        fps = av_q2d(stream->r_frame_rate);
    if (!(fps > 0.0) && span_s > 0.0)
        fps = (double)(v->count - 1) / span_s;
    const bool swapped = v->turn % 2 != 0;
    v->source.info = (st_frames_info){
        .rows = swapped ? v->columns : v->rows,
        .columns = swapped ? v->rows : v->columns,
        .count = (int64_t)v->count,
        .fps = fps > 0.0 ? fps : 0.0,
        .duration_s = fps > 0.0 ? span_s + 1.0 / fps : span_s,
    };
    if (v->counted && fps > 0.0)
        v->source.info.duration_s = (double)v->count / fps;
}

/* --- decoding -------------------------------------------------------------------------------- */

/* The next frame out of the decoder; *got is false at the end. Damaged packets are passed over. */
static st_status decode_one(video *v, bool *got)
{
    *got = false;
    for (;;) {
        int code = avcodec_receive_frame(v->codec, v->incoming);
        if (code >= 0) {
            av_frame_unref(v->frame);
            av_frame_move_ref(v->frame, v->incoming);
            *got = true;
            v->have_frame = true;
            v->frame_pts = v->counted ? v->decoded : v->frame->best_effort_timestamp;
            v->decoded++;
            return st_ok();
        }
        if (code == AVERROR_EOF || v->drained)
            return st_ok();
        if (code != AVERROR(EAGAIN) && code != AVERROR_INVALIDDATA)
            return failed(v->path, "cannot decode", code);
        code = av_read_frame(v->format, v->packet);
        if (code < 0) {
            v->drained = true;
            (void)avcodec_send_packet(v->codec, NULL);
            continue;
        }
        if (v->packet->stream_index == v->stream) {
            code = avcodec_send_packet(v->codec, v->packet);
            if (code == AVERROR(ENOMEM)) {
                av_packet_unref(v->packet);
                return ST_FAIL(ST_ERR_MEMORY, "%s: no memory to decode", v->path);
            }
        }
        av_packet_unref(v->packet);
    }
}

static bool seek(video *v, int64_t dts)
{
    if (av_seek_frame(v->format, v->stream, dts, AVSEEK_FLAG_BACKWARD) < 0)
        return false;
    avcodec_flush_buffers(v->codec);
    v->have_frame = v->drained = false;
    return true;
}

/* Jump to the last key frame at or before `index` when that saves decoding. */
static void jump(video *v, int64_t index)
{
    int64_t key = index;
    while (key > v->source.next && !v->entries[key].key)
        key--;
    if (v->counted || key <= v->source.next || !seek(v, v->entries[key].dts))
        return;
    /* A container that cannot aim may land behind the frame: then start over. */
    bool got;
    if (decode_one(v, &got).code != ST_OK || !got || v->frame_pts > v->entries[index].pts)
        (void)seek(v, v->entries[0].dts);
}

/* A frame the file has lost is replaced by the one after it, or at the end by the last. */
static st_status decode_until(video *v, int64_t wanted_pts, bool *got)
{
    *got = v->have_frame;
    while (!v->have_frame || v->frame_pts < wanted_pts) {
        bool more;
        ST_TRY(decode_one(v, &more));
        if (!more)
            break;
        *got = true;
    }
    return st_ok();
}

static st_status video_at(st_frame_source *source, st_frame *frame, int64_t index, bool *got)
{
    video *v = (video *)source;
    if (index > v->source.next)
        jump(v, index);
    const int64_t wanted = v->counted ? index : v->entries[index].pts;
    ST_TRY(decode_until(v, wanted, got));
    if (!*got)
        return ST_FAIL(ST_ERR_FORMAT, "%s: no frame can be decoded", v->path);
    ST_TRY(convert(&v->scaler, v->rgb, v->rows, v->columns, v->frame, v->path));
    if (v->turn != 0)
        turn_frame(v->turned, v->rgb, v->rows, v->columns, v->turn);
    const double tick_s = av_q2d(v->format->streams[v->stream]->time_base);
    const double rate = v->source.info.fps > 0.0 ? v->source.info.fps : 24.0;
    *frame = (st_frame){
        v->turn != 0 ? v->turned : v->rgb, v->source.info.rows, v->source.info.columns,
        v->counted ? (double)index / rate : (double)(wanted - v->entries[0].pts) * tick_s, index};
    return st_ok();
}

static void video_close(st_frame_source *source)
{
    video *v = (video *)source;
    av_frame_free(&v->incoming);
    av_frame_free(&v->frame);
    av_packet_free(&v->packet);
    avcodec_free_context(&v->codec);
    avformat_close_input(&v->format);
    sws_freeContext(v->scaler);
    st_arena_free(&v->arena);
    free(v);
}

static const sti_frame_source_kind video_kind = {video_at, video_close};

static st_status start(video *v, const char *path)
{
    ST_TRY(st_arena_copy_text(&v->arena, &v->path, path, strlen(path)));
    v->packet = av_packet_alloc();
    v->incoming = av_frame_alloc();
    v->frame = av_frame_alloc();
    if (!v->packet || !v->incoming || !v->frame)
        return ST_FAIL(ST_ERR_MEMORY, "%s: no memory to decode", path);
    ST_TRY(open_format(v));
    ST_TRY(list_packets(v));
    avformat_close_input(&v->format);       /* not every container can be rewound: open again */
    ST_TRY(open_format(v));
    ST_TRY(open_codec(v));

    const AVStream *stream = v->format->streams[v->stream];
    size_t bytes;
    v->rows = stream->codecpar->height;
    v->columns = stream->codecpar->width;
    v->turn = display_turns(stream);
    ST_TRY(st_within(sti_frame_bytes(&bytes, v->rows, v->columns), "%s", path));
    ST_TRY(ST_ALLOC(&v->arena, &v->rgb, bytes));
    if (v->turn != 0)
        ST_TRY(ST_ALLOC(&v->arena, &v->turned, bytes));
    describe(v);
    return st_ok();
}

st_status sti_video_open(st_frame_source **source, const char *path)
{
    av_log_set_level(AV_LOG_QUIET);         /* what goes wrong is said by our own sentences */
    video *v = calloc(1, sizeof *v);
    if (!v)
        return ST_FAIL(ST_ERR_MEMORY, "%s: no memory for a video", path);
    v->source.kind = &video_kind;
    st_arena_init(&v->arena, "video");
    const st_status s = start(v, path);
    if (s.code != ST_OK)
        video_close(&v->source);
    else
        *source = &v->source;
    return s;
}

/* --- pictures -------------------------------------------------------------------------------- */

static st_status picture_codec(enum AVCodecID *id, st_str bytes, const char *name)
{
    if (st_str_starts(bytes, "\x89PNG\r\n\x1a\n"))
        *id = AV_CODEC_ID_PNG;
    else if (st_str_starts(bytes, "\xFF\xD8\xFF"))
        *id = AV_CODEC_ID_MJPEG;
    else
        return ST_FAIL(ST_ERR_FORMAT, "%s: neither PNG nor JPEG", name);
    return st_ok();
}

/* The picture as the codec gives it. */
static st_status decode_picture(AVFrame *frame, st_str bytes, const char *name)
{
    enum AVCodecID id;
    ST_TRY(picture_codec(&id, bytes, name));
    if (bytes.size > INT32_MAX / 2)
        return ST_FAIL(ST_ERR_LIMIT, "%s: a picture of %zu bytes", name, bytes.size);
    AVCodecContext *codec = avcodec_alloc_context3(avcodec_find_decoder(id));
    AVPacket       *packet = av_packet_alloc();
    int code = codec && packet ? av_new_packet(packet, (int)bytes.size) : AVERROR(ENOMEM);
    if (code >= 0) {
        memcpy(packet->data, bytes.data, bytes.size);
        codec->thread_count = 1;
        codec->max_pixels = (int64_t)ST_IMAGE_SIDE_MAX * ST_IMAGE_SIDE_MAX;
        code = avcodec_open2(codec, NULL, NULL);
    }
    if (code >= 0)
        code = avcodec_send_packet(codec, packet);
    if (code >= 0)
        (void)avcodec_send_packet(codec, NULL);
    if (code >= 0)
        code = avcodec_receive_frame(codec, frame);
    av_packet_free(&packet);
    avcodec_free_context(&codec);
    if (code >= 0 && (frame->flags & AV_FRAME_FLAG_CORRUPT || frame->decode_error_flags))
        return ST_FAIL(ST_ERR_FORMAT, "%s: the picture is damaged or cut", name);
    return code < 0 ? failed(name, "cannot decode the picture", code) : st_ok();
}

static bool is_gray8(int format)
{
    return format == AV_PIX_FMT_GRAY8 || format == AV_PIX_FMT_MONOBLACK;
}

static bool is_gray16(int format)
{
    return format == AV_PIX_FMT_GRAY16BE || format == AV_PIX_FMT_GRAY16LE;
}

static st_status check_kind(const AVFrame *frame, st_pixels wanted, const char *name)
{
    const bool g8 = frame->format == AV_PIX_FMT_GRAY8, g16 = is_gray16(frame->format);
    if (wanted == ST_PIXELS_GRAY8 ? g8 : wanted == ST_PIXELS_GRAY16 ? g16 : !g16)
        return st_ok();
    const char *expected = wanted == ST_PIXELS_GRAY8    ? "8-bit gray"
                           : wanted == ST_PIXELS_GRAY16 ? "16-bit gray" : "8-bit";
    return ST_FAIL(ST_ERR_DATA, "%s: expected %s pixels, found %s", name, expected,
                   g16 ? "16-bit gray" : is_gray8(frame->format) ? "8-bit gray" : "colour");
}

/* Gray as it is; 16-bit values in the machine's order. */
static void copy_gray(unsigned char *out, const AVFrame *frame)
{
    const size_t row_bytes = (size_t)frame->width * (is_gray16(frame->format) ? 2 : 1);
    for (int r = 0; r < frame->height; r++) {
        const unsigned char *row = frame->data[0] + (ptrdiff_t)r * frame->linesize[0];
        unsigned char *to = out + (size_t)r * row_bytes;
        memcpy(to, row, row_bytes);
        if (frame->format != AV_PIX_FMT_GRAY16BE)
            continue;
        for (size_t i = 0; i < row_bytes; i += 2) {
            const uint16_t value = (uint16_t)(row[i] << 8 | row[i + 1]);
            memcpy(to + i, &value, sizeof value);
        }
    }
}

/* What has an alpha channel keeps its colours: nothing is blended. */
static st_status copy_picture(st_arena *arena, st_image *image, st_pixels wanted,
                              const AVFrame *frame, const char *name)
{
    unsigned char *pixels;
    ST_TRY(check_kind(frame, wanted, name));
    *image = (st_image){NULL, frame->height, frame->width, wanted};
    size_t bytes;
    ST_TRY(st_within(sti_frame_bytes(&bytes, image->rows, image->columns), "%s", name));
    ST_TRY(ST_ALLOC(arena, &pixels, st_image_bytes(image)));
    image->data = pixels;
    if (wanted != ST_PIXELS_RGB8) {
        copy_gray(pixels, frame);
        return st_ok();
    }
    struct SwsContext *scaler = NULL;
    const st_status s = convert(&scaler, pixels, image->rows, image->columns, frame, name);
    sws_freeContext(scaler);
    return s;
}

st_status st_image_decode(st_arena *arena, st_image *image, st_pixels wanted, st_str bytes,
                          const char *name)
{
    av_log_set_level(AV_LOG_QUIET);
    AVFrame *frame = av_frame_alloc();
    if (!frame)
        return ST_FAIL(ST_ERR_MEMORY, "%s: no memory to decode", name);
    st_image  made = {0};
    st_status s = decode_picture(frame, bytes, name);
    if (s.code == ST_OK)
        s = copy_picture(arena, &made, wanted, frame, name);
    av_frame_free(&frame);
    if (s.code == ST_OK)
        *image = made;
    return s;
}
