# What is installed, and the packages libgradus-dev (libraries, headers, CMake and pkg-config) and gradus-tools. LLVM's
# headers are nobody's but ours; its library is linked.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Gradus)
install(TARGETS gradus gradus_flags gradus_ir gradus_runtime gradus_passes gradus_codegen gradus_frontend
  EXPORT GradusTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev)
foreach(folder ir passes runtime frontend)
  install(DIRECTORY ${folder} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/gradus COMPONENT dev FILES_MATCHING PATTERN *.h)
endforeach()
install(FILES codegen/compile.h codegen/library.h
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/gradus/codegen COMPONENT dev)
install(EXPORT GradusTargets NAMESPACE Gradus:: DESTINATION ${package_dir} COMPONENT dev)
configure_package_config_file(tools/cmake/GradusConfig.cmake.in generated/GradusConfig.cmake
  INSTALL_DESTINATION ${package_dir} PATH_VARS CMAKE_INSTALL_BINDIR)
# A project for another processor uses what runs on this one, whatever the width of its pointers.
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/generated/GradusConfigVersion.cmake
  COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/generated/GradusConfig.cmake tools/cmake/GradusModel.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/generated/GradusConfigVersion.cmake DESTINATION ${package_dir} COMPONENT dev)
file(RELATIVE_PATH GRADUS_PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" GRADUS_PC_PREFIX ${GRADUS_PC_PREFIX})
configure_file(tools/cmake/gradus.pc.in generated/gradus.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/generated/gradus.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT dev)
get_property(tools GLOBAL PROPERTY GRADUS_TOOLS)
install(TARGETS ${tools} DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT tools)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/libgradus-dev RENAME copyright COMPONENT dev)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/gradus-tools RENAME copyright COMPONENT tools)

if(PROJECT_IS_TOP_LEVEL)
  set(CPACK_GENERATOR DEB)
  set(CPACK_PACKAGE_NAME gradus)
  set(CPACK_PACKAGE_CONTACT "The Gradus authors <gradus@localhost>")
  set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
  set(CPACK_STRIP_FILES ON)
  set(CPACK_COMPONENTS_ALL dev tools)
  set(CPACK_DEB_COMPONENT_INSTALL ON)
  set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
  set(CPACK_DEBIAN_DEV_PACKAGE_NAME libgradus-dev)
  set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
  set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "gradus-tools (= ${PROJECT_VERSION}), llvm-19-dev, libabsl-dev, libfmt-dev, zlib1g-dev")
  set(CPACK_DEBIAN_TOOLS_PACKAGE_NAME gradus-tools)
  set(CPACK_DEBIAN_TOOLS_PACKAGE_SECTION devel)
  set(CPACK_DEBIAN_TOOLS_PACKAGE_SHLIBDEPS ON)
  set(CPACK_COMPONENT_DEV_DESCRIPTION "Libraries, headers and CMake functions for programs that build models")
  set(CPACK_COMPONENT_TOOLS_DESCRIPTION "gradusc and other command-line programs")
  include(CPack)
endif()
