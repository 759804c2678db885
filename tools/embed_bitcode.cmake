# cmake -DOUT=<header> -DFILES=<a.bc;b.bc> -P embed_bitcode.cmake: writes a C++ header with the bytes of files, each an
# array named after its file ("x86_64_call.bc" gives kX86_64_call), and a table of all.
set(arrays "")
set(table "")
foreach(file IN LISTS FILES)
  cmake_path(GET file STEM stem)
  file(READ ${file} bytes HEX)
  string(LENGTH "${bytes}" length)
  math(EXPR length "${length} / 2")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  string(APPEND arrays "inline constexpr unsigned char kBytes_${stem}[] = {${bytes}};\n")
  string(APPEND table "    {\"${stem}\", kBytes_${stem}, ${length}},\n")
endforeach()
file(WRITE ${OUT} "#pragma once\n\n// Written by tools/embed_bitcode.cmake.\n\n#include <cstddef>\n\n${arrays}
struct EmbeddedBitcode {
  const char* name;
  const unsigned char* bytes;
  std::size_t size;
};
inline constexpr EmbeddedBitcode kEmbeddedBitcode[] = {
${table}};
")
