/* safetensors_write.c - writing: the header first, then the numbers as they come. */
#include "model/safetensors.h"

#include "kernels/base/json.h"

#include <string.h>

static const char *type_name(st_dtype dtype)
{
    static const char *const names[ST_DTYPE_COUNT] = {
        [ST_F32] = "F32", [ST_BF16] = "BF16", [ST_F16] = "F16", [ST_F64] = "F64",
        [ST_I64] = "I64", [ST_I32] = "I32",   [ST_U8] = "U8",
    };
    ST_ASSERT((unsigned)dtype < ST_DTYPE_COUNT);
    return names[dtype];
}

static void add_tensor(st_json_writer *w, const st_named_tensor *named, uint64_t begin,
                       uint64_t end)
{
    st_json_write_key(w, named->name);
    st_json_write_object(w);
    st_json_put_text(w, "dtype", type_name(named->tensor.dtype));
    st_json_write_key(w, "shape");
    st_json_write_array(w);
    for (int k = 0; k < named->tensor.rank; k++)
        st_json_write_int(w, named->tensor.shape[k]);
    st_json_write_end(w);
    st_json_write_key(w, "data_offsets");
    st_json_write_array(w);
    st_json_write_int(w, (int64_t)begin);
    st_json_write_int(w, (int64_t)end);
    st_json_write_end(w);
    st_json_write_end(w);
}

/* The JSON header, padded with blanks so that the numbers start at a multiple of 8. */
static void add_header(st_text *header, uint64_t *data_bytes, const st_named_tensor *tensors,
                       size_t count, const st_metadata_pair *metadata, size_t metadata_count)
{
    st_json_writer w;
    st_json_write_start(&w, header, ST_JSON_COMPACT);
    st_json_write_object(&w);
    if (metadata_count > 0) {
        st_json_write_key(&w, "__metadata__");
        st_json_write_object(&w);
        for (size_t i = 0; i < metadata_count; i++)
            st_json_put_text(&w, metadata[i].key, metadata[i].text);
        st_json_write_end(&w);
    }
    uint64_t at = 0;
    for (size_t i = 0; i < count; i++) {
        const uint64_t end = at + st_tensor_bytes(&tensors[i].tensor);
        add_tensor(&w, &tensors[i], at, end);
        at = end;
    }
    st_json_write_end(&w);
    while (header->size % 8 != 0 && !header->out_of_memory)
        st_text_add(header, " ");
    *data_bytes = at;
}

static st_status check_names(const st_named_tensor *tensors, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < i; k++) {
            if (strcmp(tensors[i].name, tensors[k].name) == 0)
                return ST_FAIL(ST_ERR_USAGE, "the tensor %s is given twice", tensors[i].name);
        }
    }
    return st_ok();
}

st_safetensors_writer st_safetensors_writer_none(void)
{
    return (st_safetensors_writer){.out = st_out_none()};
}

st_status st_safetensors_writer_open(st_safetensors_writer *writer, const char *path,
                                     const st_named_tensor *tensors, size_t count,
                                     const st_metadata_pair *metadata, size_t metadata_count)
{
    st_status s;
    st_text header;
    st_safetensors_writer started = st_safetensors_writer_none();
    ST_TRY(check_names(tensors, count));
    st_text_init(&header);
    add_header(&header, &started.expected_bytes, tensors, count, metadata, metadata_count);
    ST_TRY_OR(s, out, st_text_check(&header));

    const uint64_t header_bytes = header.size;
    ST_TRY_OR(s, out, st_out_open(&started.out, path));
    ST_TRY_OR(s, out, st_out_write(&started.out, &header_bytes, sizeof header_bytes));
    ST_TRY_OR(s, out, st_out_write(&started.out, header.data, header.size));
    *writer = started;
out:
    st_text_free(&header);
    if (s.code != ST_OK)
        st_safetensors_discard(&started);
    return s;
}

st_status st_safetensors_write(st_safetensors_writer *writer, const void *bytes, size_t size)
{
    ST_ASSERT(size <= writer->expected_bytes - writer->written_bytes);
    ST_TRY(st_out_write(&writer->out, bytes, size));
    writer->written_bytes += size;
    return st_ok();
}

st_status st_safetensors_commit(st_safetensors_writer *writer)
{
    if (writer->written_bytes != writer->expected_bytes) {
        const st_status s =
            ST_FAIL(ST_ERR_USAGE, "%s: expected %llu bytes of numbers, got %llu",
                    writer->out.path, (unsigned long long)writer->expected_bytes,
                    (unsigned long long)writer->written_bytes);
        st_safetensors_discard(writer);
        return s;
    }
    return st_out_commit(&writer->out);
}

void st_safetensors_discard(st_safetensors_writer *writer)
{
    st_out_discard(&writer->out);
}

st_status st_safetensors_save(const char *path, const st_named_tensor *tensors, size_t count,
                              const st_metadata_pair *metadata, size_t metadata_count)
{
    st_safetensors_writer writer;
    ST_TRY(st_safetensors_writer_open(&writer, path, tensors, count, metadata, metadata_count));
    for (size_t i = 0; i < count; i++) {
        ST_ASSERT(tensors[i].tensor.place == ST_PLACE_HOST);
        const st_status s = st_safetensors_write(&writer, tensors[i].tensor.data,
                                                 st_tensor_bytes(&tensors[i].tensor));
        if (s.code != ST_OK) {
            st_safetensors_discard(&writer);
            return s;
        }
    }
    return st_safetensors_commit(&writer);
}
