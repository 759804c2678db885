/* What the page calls: memory for a batch, and the functions of the small detector on it. */
#include <small_page.h>

#define EXPORT(name) __attribute__((export_name(#name)))

enum { kBatch = 64, kMonths = 12 };

static SMALL_ALIGNED small_parameters weights;
static SMALL_ALIGNED small_training training;
static SMALL_ALIGNED unsigned char arena[SMALL_ARENA_BYTES(kBatch) + SMALL_INIT_ARENA_BYTES];
static float x[kBatch][kMonths], answers[kBatch], probabilities[kBatch];
static unsigned char file[SMALL_FILE_BYTES];
static small_step_result result;

EXPORT(batch) int batch(void);
int batch(void) { return kBatch; }
EXPORT(inputs) float* inputs(void);
float* inputs(void) { return &x[0][0]; }
EXPORT(targets) float* targets(void);
float* targets(void) { return answers; }
EXPORT(outputs) float* outputs(void);
float* outputs(void) { return probabilities; }

/* New weights. */
EXPORT(start) int start(int seed);
int start(int seed) {
  const int32_t code = small_init(&weights, seed, arena, sizeof arena);
  return code != SMALL_OK ? code : small_train_start(&training, seed);
}
/* A step on the first `rows` rows; the loss is in loss(). */
EXPORT(train) int train(int rows);
int train(int rows) {
  return small_train_step(&weights, &training, &x[0][0], answers, rows, &result, arena,
                          sizeof arena);
}
EXPORT(loss) float loss(void);
float loss(void) { return result.loss; }
EXPORT(predict) int predict(int rows);
int predict(int rows) {
  return small_forward(&weights, &x[0][0], rows, probabilities, arena, sizeof arena);
}
/* The weights as a file of safetensors. */
EXPORT(save) unsigned char* save(void);
unsigned char* save(void) { return small_save(&weights, file, sizeof file) == SMALL_OK ? file : 0; }
EXPORT(file_bytes) int file_bytes(void);
int file_bytes(void) { return SMALL_FILE_BYTES; }
