#include "tools/bench/machine.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <ctime>
#include <numeric>
#include <thread>
#include <vector>

#include "codegen/compile.h"
#include "runtime/aligned_buffer.h"

namespace gradus::tools {
namespace {

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

#if defined(__x86_64__)

// Twelve at a time, which hides their latency; in assembly, so that no optimisation level has a say
// in what is measured. Returns the number of operations.
template <bool kAvx512>
int64_t MultiplyAdds(int64_t turns) {
  const int64_t operations = turns * 12 * (kAvx512 ? 32 : 16);
  asm volatile(
      ".irp r, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 15\n"
      "  vxorps %%xmm\\r, %%xmm\\r, %%xmm\\r\n"
      ".endr\n"
      "1:\n"
      ".irp r, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11\n"
      "  .if %c[avx512]\n"
      "    vfmadd231ps %%zmm15, %%zmm15, %%zmm\\r\n"
      "  .else\n"
      "    vfmadd231ps %%ymm15, %%ymm15, %%ymm\\r\n"
      "  .endif\n"
      ".endr\n"
      "dec %[turns]\n"
      "jnz 1b\n"
      "vzeroupper\n"
      : [turns] "+r"(turns)
      : [avx512] "i"(kAvx512)
      : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
        "xmm10", "xmm11", "xmm15");
  return operations;
}

#endif

// Four floats a vector, which every 64-bit processor has: the fall-back, and what processors
// without fused multiply-adds are measured by.
int64_t MultiplyAndAdd(int64_t turns) {
  using Vector = float __attribute__((vector_size(16)));
  constexpr int kChains = 12;
  Vector sums[kChains] = {};
  Vector one = {1, 1, 1, 1};
  for (int64_t i = 0; i < turns; ++i) {
    asm volatile("" : "+m"(one));  // else the loop is one multiplication
    for (Vector& s : sums) s = s * one + one;
  }
  for (Vector& s : sums) asm volatile("" : : "m"(s));
  return turns * kChains * 8;
}

int64_t Operations() {
#if defined(__x86_64__)
  // Of what code may use: a machine that is asked for a lesser level is judged by that.
  const ir::Target target = codegen::DefaultTarget();
  if (target.vector_bytes == 64) return MultiplyAdds<true>(1000000);
  if (target.has_fma) return MultiplyAdds<false>(1000000);
#endif
  return MultiplyAndAdd(1000000);
}

// Billions a second, of this thread.
double PeakOfThisThread() {
  constexpr int kRounds = 25;
  std::vector<double> speeds;
  for (int i = 0; i < kRounds; ++i) {
    const double start = ThreadSeconds();
    const int64_t operations = Operations();
    speeds.push_back(static_cast<double>(operations) / (ThreadSeconds() - start) * 1e-9);
  }
  return Median(std::move(speeds));
}

// A pass with the traffic of Adam over whole vectors.
template <typename Vector>
[[gnu::always_inline]] inline void Update(int64_t n, float* parameter, float* first, float* second,
                                          const float* gradient) {
  constexpr auto kLanes = static_cast<int64_t>(sizeof(Vector) / sizeof(float));
  for (int64_t i = 0; i < n; i += kLanes) {
    const Vector g = *reinterpret_cast<const Vector*>(gradient + i);
    *reinterpret_cast<Vector*>(parameter + i) -= g;
    *reinterpret_cast<Vector*>(first + i) += g;
    *reinterpret_cast<Vector*>(second + i) += g;
  }
}

template <int kBytes>
using FloatVector = float __attribute__((vector_size(kBytes), may_alias));

#if defined(__x86_64__)
[[gnu::target("avx2")]] void UpdateAvx2(int64_t n, float* parameter, float* first, float* second,
                                        const float* gradient) {
  Update<FloatVector<32>>(n, parameter, first, second, gradient);
}
#endif

void UpdateOnce(int64_t n, float* parameter, float* first, float* second, const float* gradient) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return UpdateAvx2(n, parameter, first, second, gradient);
#endif
  Update<FloatVector<16>>(n, parameter, first, second, gradient);
}

}  // namespace

double WallSeconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double ThreadSeconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

double MeasureTicksPerSecond() {
#if defined(__x86_64__)
  constexpr double kSeconds = 0.02;
  const uint64_t first = __builtin_ia32_rdtsc();
  const double start = WallSeconds();
  double now = start;
  while (now - start < kSeconds) now = WallSeconds();
  return static_cast<double>(__builtin_ia32_rdtsc() - first) / (now - start);
#else
  return 0;
#endif
}

double MeasurePeak(int threads) {
  std::vector<double> peaks(static_cast<size_t>(std::max(threads, 1)));
  std::vector<std::thread> others;
  for (size_t i = 1; i < peaks.size(); ++i) {
    others.emplace_back([&peaks, i] { peaks[i] = PeakOfThisThread(); });
  }
  peaks[0] = PeakOfThisThread();
  for (std::thread& t : others) t.join();
  return std::accumulate(peaks.begin(), peaks.end(), 0.0);
}

absl::StatusOr<double> MeasureUpdateBandwidth(int64_t parameters) {
  constexpr int64_t kMultiple = 16, kApart = 272;
  constexpr double kSeconds = 0.1, kLeastSample = 20e-6;
  constexpr size_t kLeastSamples = 5;
  const int64_t n = (std::max<int64_t>(parameters, 1) + kMultiple - 1) / kMultiple * kMultiple;
  // One after the other, so far apart that they do not fall on the same cache sets.
  const int64_t stride = n + kApart;
  absl::StatusOr<runtime::AlignedBuffer> buffer =
      runtime::AlignedBuffer::Create(4 * stride * static_cast<int64_t>(sizeof(float)));
  if (!buffer.ok()) return buffer.status();
  std::memset(buffer->data(), 0, buffer->size());
  const auto floats = [&](int64_t i) {
    return reinterpret_cast<float*>(buffer->data()) + i * stride;
  };
  const auto pass = [&] { UpdateOnce(n, floats(0), floats(1), floats(2), floats(3)); };
  int64_t repeat = 1;
  std::vector<double> speeds;
  for (double spent = 0; spent < kSeconds || speeds.size() < kLeastSamples;) {
    const double start = ThreadSeconds();
    for (int64_t i = 0; i < repeat; ++i) pass();
    const double took = ThreadSeconds() - start;
    spent += took;
    if (took < kLeastSample) {
      repeat *= 2;
      continue;
    }
    speeds.push_back(static_cast<double>(n * repeat * kAdamBytes) / took * 1e-9);
  }
  return Median(std::move(speeds));
}

}  // namespace gradus::tools
