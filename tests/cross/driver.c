/* Runs calls of compiled entries on the target: driver CALLS RESULTS.
 *
 * Numbers are 64 bits and little-endian. A call in CALLS: the entry's number, then for each
 * argument its rank, its sizes and its bytes. A call in RESULTS: the number of results, then for
 * each its element type, rank, sizes and bytes. Every buffer lies between two pages that cannot be
 * touched, once with its end against the page behind it and once with its beginning against the
 * page before; both runs must give the same bits. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/abi.h"

struct entry {
  const char* symbol;
  gradus_entry_fn function;
  const gradus_entry_info* info;
};
extern const struct entry entries[];
extern const int entry_count;

enum { kMostTensors = 64, kMostRank = 16, kMostSymbols = 16 };

static long call_number;
static const char* call_symbol = "";

static void fail(const char* what) {
  fprintf(stderr, "call %ld of %s: %s\n", call_number, call_symbol, what);
  exit(1);
}

static void on_fault(int signal_number) {
  (void)signal_number;
  fprintf(stderr, "call %ld of %s: touched memory outside its buffers\n", call_number, call_symbol);
  _exit(1);
}

struct tensor {
  int64_t rank, sizes[kMostRank], bytes;
  unsigned char* original; /* arguments: as they came */
};

struct buffer {
  unsigned char *pages, *data;
  size_t page_bytes;
};

static struct buffer make_buffer(int64_t bytes, int against_page_behind) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  struct buffer b;
  b.page_bytes = ((size_t)bytes + page - 1) / page * page;
  b.pages = mmap(NULL, b.page_bytes + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (b.pages == MAP_FAILED) fail("no memory");
  if (b.page_bytes > 0 && mprotect(b.pages + page, b.page_bytes, PROT_READ | PROT_WRITE) != 0)
    fail("no memory");
  b.data = b.pages + page + (against_page_behind ? b.page_bytes - (size_t)bytes : 0);
  memset(b.data, 0xFF, (size_t)bytes);
  return b;
}

static void free_buffer(struct buffer b) {
  munmap(b.pages, b.page_bytes + 2 * (size_t)sysconf(_SC_PAGESIZE));
}

static void read_bytes(FILE* file, void* to, size_t bytes) {
  if (bytes > 0 && fread(to, 1, bytes, file) != bytes) fail("CALLS ends too early");
}

static void write_bytes(FILE* file, const void* from, size_t bytes) {
  if (bytes > 0 && fwrite(from, 1, bytes, file) != bytes) fail("RESULTS cannot be written");
}

static int64_t element_bytes(int32_t dtype) {
  return dtype == GRADUS_I1 ? 1 : dtype == GRADUS_I32 || dtype == GRADUS_F32 ? 4 : 8;
}

static int64_t workspace_bytes(const gradus_entry_info* info, const int64_t* dims) {
  int64_t largest = 0, sum = 0;
  for (int32_t t = 0; t < info->workspace_term_count; ++t) {
    const gradus_term* term = &info->workspace_bytes[t];
    if (t > 0 && term->sum != term[-1].sum) sum = 0;
    int64_t product = term->coefficient;
    for (int32_t f = 0; f < term->factor_count; ++f) {
      const gradus_factor* factor = &term->factors[f];
      int64_t value = factor->scale;
      for (int32_t s = 0; s < factor->symbol_count; ++s) value *= dims[factor->symbols[s]];
      product *= (value + factor->divisor - 1) / factor->divisor;
    }
    sum += product;
    if (sum > largest) largest = sum;
  }
  return largest;
}

/* The sizes of a declared tensor; of an argument, they also give the symbols. */
static void bind_sizes(const gradus_tensor_info* info, struct tensor* t, int64_t* dims, int give) {
  if (info->rank > kMostRank) fail("too many axes");
  if (!give) t->rank = info->rank;
  t->bytes = element_bytes(info->dtype);
  for (int32_t a = 0; a < info->rank; ++a) {
    const int32_t symbol = info->dims[a].symbol;
    if (give && symbol >= 0) dims[symbol] = t->sizes[a];
    if (!give) t->sizes[a] = symbol >= 0 ? dims[symbol] : info->dims[a].size;
    t->bytes *= t->sizes[a];
  }
}

/* One run; results go to `out`, one block of memory after the other. */
static void run_once(const struct entry* e, struct tensor* arguments, struct tensor* results,
                     const int64_t* dims, int against_page_behind, unsigned char* out) {
  const gradus_entry_info* info = e->info;
  struct buffer in_memory[kMostTensors], out_memory[kMostTensors];
  const void* in[kMostTensors];
  void* to[kMostTensors];
  for (int32_t i = 0; i < info->argument_count; ++i) {
    in_memory[i] = make_buffer(arguments[i].bytes, against_page_behind);
    memcpy(in_memory[i].data, arguments[i].original, (size_t)arguments[i].bytes);
    in[i] = in_memory[i].data;
  }
  for (int32_t i = 0; i < info->result_count; ++i) {
    const int32_t alias = info->results[i].alias;
    if (alias < 0) out_memory[i] = make_buffer(results[i].bytes, against_page_behind);
    to[i] = alias < 0 ? out_memory[i].data : in_memory[alias].data;
  }
  struct buffer workspace = make_buffer(workspace_bytes(info, dims), against_page_behind);
  if (e->function(in, to, dims, workspace.data, NULL) != 0) fail("did not return 0");
  for (int32_t i = 0; i < info->result_count; ++i) {
    memcpy(out, to[i], (size_t)results[i].bytes);
    out += results[i].bytes;
    if (info->results[i].alias < 0) free_buffer(out_memory[i]);
  }
  for (int32_t i = 0; i < info->argument_count; ++i) free_buffer(in_memory[i]);
  free_buffer(workspace);
}

static void run_call(const struct entry* e, FILE* calls, FILE* file) {
  const gradus_entry_info* info = e->info;
  struct tensor arguments[kMostTensors], results[kMostTensors];
  int64_t dims[kMostSymbols] = {0};
  if (info->abi_version != GRADUS_ABI_VERSION) fail("another version of the interface");
  if (info->argument_count > kMostTensors || info->result_count > kMostTensors)
    fail("too many tensors");
  if (info->symbol_count > kMostSymbols) fail("too many symbols");
  for (int32_t i = 0; i < info->argument_count; ++i) {
    struct tensor* t = &arguments[i];
    read_bytes(calls, &t->rank, 8);
    if (t->rank != info->arguments[i].rank) fail("an argument of another rank");
    read_bytes(calls, t->sizes, 8 * (size_t)t->rank);
    bind_sizes(&info->arguments[i], t, dims, 1);
    t->original = malloc((size_t)t->bytes + 1);
    read_bytes(calls, t->original, (size_t)t->bytes);
  }
  int64_t bytes = 0;
  for (int32_t i = 0; i < info->result_count; ++i) {
    bind_sizes(&info->results[i], &results[i], dims, 0);
    bytes += results[i].bytes;
  }
  unsigned char *first = malloc((size_t)bytes + 1), *second = malloc((size_t)bytes + 1);
  if (first == NULL || second == NULL) fail("no memory");
  run_once(e, arguments, results, dims, 1, first);
  run_once(e, arguments, results, dims, 0, second);
  if (memcmp(first, second, (size_t)bytes) != 0) fail("results depend on where memory lies");
  const unsigned char* next = first;
  const int64_t count = info->result_count;
  write_bytes(file, &count, 8);
  for (int32_t i = 0; i < info->result_count; ++i) {
    const int64_t dtype = info->results[i].dtype;
    write_bytes(file, &dtype, 8);
    write_bytes(file, &results[i].rank, 8);
    write_bytes(file, results[i].sizes, 8 * (size_t)results[i].rank);
    write_bytes(file, next, (size_t)results[i].bytes);
    next += results[i].bytes;
  }
  for (int32_t i = 0; i < info->argument_count; ++i) free(arguments[i].original);
  free(first);
  free(second);
}

int main(int argc, char** argv) {
  if (argc != 3) fail("usage: driver CALLS RESULTS");
  FILE *calls = fopen(argv[1], "rb"), *results = fopen(argv[2], "wb");
  if (calls == NULL || results == NULL) fail("CALLS or RESULTS cannot be opened");
  signal(SIGSEGV, on_fault);
  signal(SIGBUS, on_fault);
  int64_t number;
  for (; fread(&number, 1, 8, calls) == 8; ++call_number) {
    if (number < 0 || number >= entry_count) fail("there is no such entry");
    call_symbol = entries[number].symbol;
    run_call(&entries[number], calls, results);
  }
  if (fclose(results) != 0) fail("RESULTS cannot be written");
  return 0;
}
