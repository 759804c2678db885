/* Weights as safetensors in memory, and how a training starts.
 *
 * A file is 8 bytes (the header's length, little-endian), a JSON object of tensors, and their data:
 * see runtime/safetensors.h. The reader below knows the one form that the format allows, does not
 * nest, and looks at nothing outside the bytes that it is given. */

#include "runtime/standalone/standalone.h"

/* NOLINTBEGIN: C */

static void copy(void* to, const void* from, int64_t bytes) {
  char* t = (char*)to;
  const char* f = (const char*)from;
  for (int64_t i = 0; i < bytes; ++i) t[i] = f[i];
}

int32_t gradus_standalone_save(const gradus_weights* table, const void* weights, void* buffer,
                               uint64_t buffer_bytes) {
  if (buffer == 0 || (weights == 0 && table->block_bytes > 0)) return GRADUS_NULL;
  if (buffer_bytes < (uint64_t)table->file_bytes) return GRADUS_BUFFER;
  copy(buffer, table->header, table->header_bytes);
  for (int64_t i = 0; i < table->parameter_count; ++i) {
    const gradus_parameter* p = &table->parameters[i];
    copy((char*)buffer + table->header_bytes + p->saved, (const char*)weights + p->offset,
         p->bytes);
  }
  return GRADUS_OK;
}

/* What is left of the header. `bad` once something was not as the format says. */
typedef struct reader {
  const char *at, *end;
  int bad;
} reader;

typedef struct text {
  const char *begin, *end;
  int escaped; /* holds a backslash */
} text;

static void skip_spaces(reader* r) {
  while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
    ++r->at;
}

/* Takes a character if it is the next one. */
static int take(reader* r, char c) {
  skip_spaces(r);
  if (r->bad || r->at == r->end || *r->at != c) return 0;
  ++r->at;
  return 1;
}

static void need(reader* r, char c) {
  if (!take(r, c)) r->bad = 1;
}

static text read_text(reader* r) {
  text t = {0, 0, 0};
  need(r, '"');
  t.begin = t.end = r->at;
  while (!r->bad && r->at < r->end && *r->at != '"') {
    if ((unsigned char)*r->at < ' ') r->bad = 1;
    if (*r->at == '\\') {
      t.escaped = 1;
      ++r->at;
      if (r->at == r->end) break;
    }
    ++r->at;
  }
  t.end = r->at;
  need(r, '"');
  return t;
}

static int64_t read_number(reader* r) {
  const int64_t most = (int64_t)1 << 56;
  int64_t n = 0;
  int digits = 0;
  skip_spaces(r);
  for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; ++r->at, ++digits) {
    n = n * 10 + (*r->at - '0');
    if (n > most) r->bad = 1;
    if (r->bad) return 0;
  }
  if (digits == 0) r->bad = 1;
  return n;
}

static int is(text t, const char* what) {
  if (t.escaped) return 0; /* names and types of ours need no escapes */
  const char* c = t.begin;
  while (c < t.end && *what != 0 && *c == *what) ++c, ++what;
  return c == t.end && *what == 0;
}

static int begins_with(text t, const char* what) {
  const char* c = t.begin;
  while (c < t.end && *what != 0 && *c == *what) ++c, ++what;
  return *what == 0;
}

typedef struct tensor {
  text dtype, shape; /* shape: from bracket to bracket, as written */
  int64_t begin, end;
} tensor;

/* {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, in any order, each once. */
static tensor read_tensor(reader* r) {
  tensor t = {{0, 0, 0}, {0, 0, 0}, 0, 0};
  int fields = 0;
  need(r, '{');
  do {
    const text key = read_text(r);
    int field = 0;
    need(r, ':');
    if (is(key, "dtype")) {
      field = 1;
      t.dtype = read_text(r);
    } else if (is(key, "shape")) {
      field = 2;
      skip_spaces(r);
      t.shape.begin = r->at;
      need(r, '[');
      if (!take(r, ']')) {
        do read_number(r);
        while (take(r, ','));
        need(r, ']');
      }
      t.shape.end = r->at;
    } else if (is(key, "data_offsets")) {
      field = 4;
      need(r, '[');
      t.begin = read_number(r);
      need(r, ',');
      t.end = read_number(r);
      need(r, ']');
    }
    if (field == 0 || (fields & field) != 0) r->bad = 1;
    fields |= field;
  } while (take(r, ','));
  need(r, '}');
  if (fields != 7 || t.begin > t.end) r->bad = 1;
  return t;
}

static int same_shape(text written, const char* shape) {
  for (const char* c = written.begin; c < written.end; ++c) {
    if (*c == ' ' || *c == '\t' || *c == '\n' || *c == '\r') continue;
    if (*c != *shape) return 0;
    ++shape;
  }
  return *shape == 0;
}

/* One parameter of the model among the tensors of the file. */
typedef struct search {
  const gradus_parameter* parameter;
  int times;
  int64_t begin;
} search;

/* Walks through the header: checks its form and every tensor's place, and looks for a parameter or,
 * without one, for tensors that are none. */
static int32_t walk(const gradus_weights* table, const char* header, int64_t header_bytes,
                    int64_t data_bytes, search* s) {
  reader r = {header, header + header_bytes, 0};
  int32_t wrong = GRADUS_OK;
  need(&r, '{');
  if (!take(&r, '}')) {
    do {
      const text name = read_text(&r);
      need(&r, ':');
      if (is(name, "__metadata__")) {
        need(&r, '{');
        if (!take(&r, '}')) {
          do {
            read_text(&r);
            need(&r, ':');
            read_text(&r);
          } while (take(&r, ','));
          need(&r, '}');
        }
        continue;
      }
      const tensor t = read_tensor(&r);
      if (r.bad) break;
      if (t.end > data_bytes) r.bad = 1;
      if (s != 0) {
        const gradus_parameter* p = s->parameter;
        if (!is(name, p->name)) continue;
        ++s->times;
        s->begin = t.begin;
        if (!is(t.dtype, p->dtype) || !same_shape(t.shape, p->shape)) wrong = GRADUS_MISMATCH;
        if (wrong == GRADUS_OK && t.end - t.begin != p->bytes) r.bad = 1;
      } else if (!begins_with(name, "gradus/")) {
        int known = 0;
        for (int64_t i = 0; i < table->parameter_count && !known; ++i)
          known = is(name, table->parameters[i].name);
        if (!known) wrong = GRADUS_MISMATCH;
      }
    } while (!r.bad && take(&r, ','));
    need(&r, '}');
  }
  skip_spaces(&r);
  if (r.bad || r.at != r.end) return GRADUS_FORMAT;
  return wrong;
}

int32_t gradus_standalone_load(const gradus_weights* table, void* weights, const void* file,
                               uint64_t file_bytes) {
  if (file == 0 || (weights == 0 && table->block_bytes > 0)) return GRADUS_NULL;
  if ((uintptr_t)weights % (uintptr_t)table->alignment != 0) return GRADUS_ALIGNMENT;
  if (file_bytes < 8) return GRADUS_FORMAT;
  const unsigned char* bytes = (const unsigned char*)file;
  uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = length << 8 | bytes[i];
  if (length > file_bytes - 8 || length > ((uint64_t)1 << 56)) return GRADUS_FORMAT;
  const char* header = (const char*)file + 8;
  const char* data = header + length;
  const int64_t header_bytes = (int64_t)length;
  const int64_t data_bytes = (int64_t)(file_bytes - 8 - length);
  /* 1. All is looked at before anything is written. */
  int32_t wrong = walk(table, header, header_bytes, data_bytes, 0);
  if (wrong != GRADUS_OK) return wrong;
  for (int pass = 0; pass < 2; ++pass) {
    for (int64_t i = 0; i < table->parameter_count; ++i) {
      search s = {&table->parameters[i], 0, 0};
      wrong = walk(table, header, header_bytes, data_bytes, &s);
      if (wrong == GRADUS_OK && s.times > 1) wrong = GRADUS_FORMAT;
      if (wrong == GRADUS_OK && s.times < 1) wrong = GRADUS_MISMATCH;
      if (wrong != GRADUS_OK) return wrong;
      /* 2. Every parameter is there once, of its type. */
      if (pass == 1) copy((char*)weights + s.parameter->offset, data + s.begin, s.parameter->bytes);
    }
  }
  return GRADUS_OK;
}

static void fill_block(const gradus_start* table, char* bytes) {
  for (int64_t i = 0; i < table->block_bytes; ++i) bytes[i] = 0;
  for (int64_t i = 0; i < table->fill_count; ++i) {
    const gradus_fill* fill = &table->fills[i];
    char* at = bytes + fill->offset;
    for (int64_t k = 0; k < fill->count; ++k) {
      uint64_t bits = fill->bits; /* by constants alone: other shifts may be calls of a library */
      for (int32_t byte = 0; byte < fill->bytes; ++byte, bits >>= 8) *at++ = (char)bits;
    }
  }
}

int32_t gradus_standalone_start(const gradus_start* table, void* block, int64_t seed) {
  if (block == 0) return GRADUS_NULL;
  if ((uintptr_t)block % (uintptr_t)table->alignment != 0) return GRADUS_ALIGNMENT;
  char* bytes = (char*)block;
  fill_block(table, bytes);
  if (table->seed_offset >= 0) *(int64_t*)(void*)(bytes + table->seed_offset) = seed;
  return GRADUS_OK;
}

int32_t gradus_standalone_step_start(const gradus_start* table, void* state, int64_t rows) {
  if (rows < 0) return GRADUS_SIZE;
  if (rows == 0 || table->block_bytes == 0) return GRADUS_OK;
  if (state == 0) return GRADUS_NULL;
  if ((uintptr_t)state % (uintptr_t)table->alignment != 0) return GRADUS_ALIGNMENT;
  for (int64_t row = 0; row < rows; ++row) {
    fill_block(table, (char*)state + row * table->block_bytes);
  }
  return GRADUS_OK;
}

/* NOLINTEND */
