#pragma once

// What an object file needs of others.

#if defined(__has_feature)
#define GRADUS_TESTS_HAS_FEATURE(x) __has_feature(x)
#else
#define GRADUS_TESTS_HAS_FEATURE(x) 0
#endif

#include <string>
#include <string_view>
#include <vector>

namespace gradus::tests {

// Whether code that this program compiles calls AddressSanitizer (codegen/sanitize.cpp).
#if defined(__SANITIZE_ADDRESS__) || GRADUS_TESTS_HAS_FEATURE(address_sanitizer)
inline constexpr bool kAddressesAreChecked = true;
#else
inline constexpr bool kAddressesAreChecked = false;
#endif

// The undefined symbols of a 64-bit ELF object, as `nm -u` lists them. What is no such object gives
// a name that no check lets through.
std::vector<std::string> UndefinedSymbols(std::string_view object);

// Those that compiled code must not need: all but memcpy, memset and memmove, and the sanitizer's
// where addresses are checked. As text; "" if none.
std::string ForeignSymbols(std::string_view object);

}  // namespace gradus::tests
