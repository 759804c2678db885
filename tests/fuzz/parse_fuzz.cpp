// Mutated IR texts through the parser: none may crash, none may be slow, and what parses must
// verify, print and read back as itself. `parse_fuzz [ROUNDS] [SEED]` prints one line and ends with
// 1 after a failure, which it shows.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "ir/parser.h"
#include "ir/printer.h"
#include "ir/verifier.h"
#include "tests/same_graph.h"

namespace {

constexpr std::string_view kSeeds[] = {
    R"(module @dense
param %w: f32[4, 3] = glorot_uniform {fan_in = 4, fan_out = 3}
param %b: f32[3] = zeros frozen
func @forward(%x: f32[B, 4], %w: f32[4, 3], %b: f32[3]) -> (y: f32[B, 3], w: f32[4, 3] in %w) {
  %0 = matmul %x, %w : f32[B, 3]
  %1 = broadcast %b {axes = [1], shape = [B, 3]} : f32[B, 3]
  %2 = add %0, %1 : f32[B, 3]  // bias
  %3 = tanh %2 : f32[B, 3] loc("mlp.cpp":12:7 in "hidden")
  %4:2 = call %3, %w {callee = @pair} : f32[B, 3], f32[4, 3]
  return %4#0, %4#1
}
kernel @pair(%a: f32[B, 3], %"odd \"name\"": f32[4, 3]) -> (f32[B, 3], f32[4, 3]) {
  return %a, %"odd \"name\""
}
)",
    R"(module @numbers
func @f(%x: f64[2, 3], %i: i64[], %c: i1[2, 3]) -> (f64[3], f64[2, 3], f64[3, 2]) {
  %0 = constant {dtype = f64, shape = [2, 3], value = -1.5e-3} : f64[2, 3]
  %1 = constant {dtype = i64, shape = [], integer = -9223372036854775808} : i64[]
  %2 = select %c, %x, %0 : f64[2, 3]
  %3 = reduce_sum %2 {axes = [0]} : f64[3]
  %4 = transpose %x {permutation = [1, 0]} : f64[3, 2]
  %5 = random_uniform %i, %1 {dtype = f64, shape = [2, 3]} : f64[2, 3]
  return %3, %5, %4
}
)",
    R"(module @folded
func @step(%w: f32[4], %g: f32[4], %c: i1[4], %n: i64[]) -> (f32[4] in %w, i64[], f32[]) {
  %0 = sub %w, mul(select(%c, 0.0, %g), broadcast(cast(%n {dtype = f32}) {axes = [], shape = [4]})) : f32[4]
  %1 = add %n, 1 : i64[]
  %2 = reduce_sum add(mul(%0, -inf), mul(neg(%0), 1.5e-3)) {axes = [0]} : f32[]
  return %0, %1, %2
}
)",
};

constexpr std::string_view kPieces[] = {
    "module @m\n",
    "param %p: f32[] = zeros\n",
    "func @g() -> () {\n  return\n}\n",
    "kernel",
    "return",
    "%0",
    "%x",
    "%4#1",
    "%\"",
    "@f",
    "@\"\\x00\"",
    "\"\"",
    "f32[B, T]",
    "f64[]",
    "i1[0]",
    "[",
    "]",
    "{",
    "}",
    "(",
    ")",
    ",",
    ":",
    "=",
    "->",
    "#",
    "//",
    "\n",
    "loc(\"a\":1:1 in \"b\")",
    "in",
    "inf",
    "-inf",
    "nan",
    "9223372036854775807",
    "-9223372036854775808",
    "99999999999999999999",
    "1e308",
    "1e-400",
    "0.1",
    "tanh %x : f32[2]",
    "add(%x, 0.5)",
    "neg(",
    "neg(neg(neg(neg(neg(neg(neg(neg(neg(neg(neg(neg(",
    "call",
    "callee = @forward",
    "axes = [0, 1, -1]",
    "loops @k {\n}\n",
    "\xff",
    "\t",
};

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next() {  // xorshift64*
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545f4914f6cdd1du;
  }
  size_t Below(size_t n) { return n == 0 ? 0 : static_cast<size_t>(Next() >> 11) % n; }

 private:
  uint64_t state_;
};

// One change: a piece put in, bytes cut, moved or repeated, a byte or a number changed.
void Mutate(std::string& text, Random& random) {
  const size_t at = random.Below(text.size() + 1);
  const size_t length = std::min(random.Below(24), text.size() - at);
  switch (random.Below(6)) {
    case 0: text.insert(at, kPieces[random.Below(std::size(kPieces))]); break;
    case 1: text.erase(at, length); break;
    case 2: text.insert(random.Below(text.size() + 1), text.substr(at, length)); break;
    case 3:
      if (at < text.size()) text[at] = static_cast<char>(random.Below(256));
      break;
    case 4: text.replace(at, length, kPieces[random.Below(std::size(kPieces))]); break;
    default: {
      const size_t digit = text.find_first_of("0123456789", at);
      if (digit != std::string::npos) text[digit] = static_cast<char>('0' + random.Below(10));
      break;
    }
  }
}

bool Fail(std::string_view what, const std::string& text, const std::string& message) {
  std::fprintf(stderr, "parse_fuzz: %.*s: %s\n---- text ----\n%s\n", static_cast<int>(what.size()),
               what.data(), message.c_str(), text.c_str());
  return false;
}

bool Try(const std::string& text, int* parsed) {
  const auto module = gradus::ir::Parse(text, "fuzz.ir");
  if (!module.ok()) {
    const std::string message(module.status().message());
    if (message.find("error: ") == std::string::npos) return Fail("no error line", text, message);
    if (message.size() > 4000) return Fail("endless message", text, message);
    return true;
  }
  ++*parsed;
  if (const absl::Status status = gradus::ir::Verify(**module); !status.ok()) {
    return Fail("parsed, does not verify", text, std::string(status.message()));
  }
  const std::string printed = gradus::ir::Print(**module);
  const auto again = gradus::ir::Parse(printed, "printed.ir");
  if (!again.ok())
    return Fail("printed, does not parse", text, std::string(again.status().message()));
  if (gradus::ir::Print(**again) != printed) return Fail("prints differently", text, printed);
  const std::string folded = gradus::ir::Print(**module, {.folded = true});
  const auto unfolded = gradus::ir::Parse(folded, "folded.ir");
  if (!unfolded.ok())
    return Fail("folded, does not parse", text, std::string(unfolded.status().message()));
  if (gradus::ir::Print(**unfolded, {.folded = true}) != folded) {
    return Fail("folds differently", text, folded);
  }
  if (!gradus::tests::SameGraphs(**module, **unfolded)) {
    return Fail("folded, another graph", text, folded);
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 4000;
  Random random(argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 20240607);
  int parsed = 0, texts = 0;
  for (const std::string_view seed : kSeeds) {
    int seed_parsed = 0;
    if (!Try(std::string(seed), &seed_parsed)) return 1;
    if (seed_parsed != 1) {
      Fail("a seed does not parse", std::string(seed),
           std::string(gradus::ir::Parse(seed, "seed.ir").status().message()));
      return 1;
    }
    // Every prefix, then rounds of up to eight changes.
    for (size_t n = 0; n < seed.size(); ++n, ++texts) {
      if (!Try(std::string(seed.substr(0, n)), &parsed)) return 1;
    }
    for (int round = 0; round < rounds; ++round, ++texts) {
      std::string text(seed);
      for (size_t changes = 1 + random.Below(8); changes > 0; --changes) Mutate(text, random);
      if (!Try(text, &parsed)) return 1;
    }
  }
  std::printf("parse_fuzz: %d texts, %d of them parsed, none crashed\n", texts, parsed);
  return parsed > 0 ? 0 : 1;
}
