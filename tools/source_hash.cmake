# cmake -DROOT=<tree> -DOUT=<header> -P source_hash.cmake: writes a header with a hash of all sources that decide what a
# model compiles to, so that objects cached by another state of the compiler are never loaded. Touches the header only
# when the hash changes.
file(GLOB_RECURSE sources LIST_DIRECTORIES false ${ROOT}/ir/*.cpp ${ROOT}/ir/*.h ${ROOT}/passes/*.cpp
  ${ROOT}/passes/*.h ${ROOT}/codegen/*.cpp ${ROOT}/codegen/*.h ${ROOT}/runtime/abi.h)
list(SORT sources)
set(all "")
foreach(source IN LISTS sources)
  file(SHA256 ${source} hash)
  string(APPEND all ${hash})
endforeach()
string(SHA256 hash "${all}")
set(text "#pragma once\n\n#define GRADUS_SOURCE_HASH \"${hash}\"\n")
set(old "")
if(EXISTS ${OUT})
  file(READ ${OUT} old)
endif()
if(NOT old STREQUAL text)
  file(WRITE ${OUT} "${text}")
endif()
