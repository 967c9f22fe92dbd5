# What llmc links, and where it comes from. Debian names stand in the README. First what answering needs.
find_package(PkgConfig REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS C)
find_package(ZLIB REQUIRED)
find_package(Threads REQUIRED)
find_package(HDF5 REQUIRED COMPONENTS C)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)

# Programs link the static library, where there is one: Debian's shared one loads curl, Kerberos and 30 others, which is
# more than half of the start of a small model. It is not made for shared libraries, which link the shared one.
add_library(llmc_hdf5_shared INTERFACE)
target_include_directories(llmc_hdf5_shared SYSTEM INTERFACE ${HDF5_C_INCLUDE_DIRS})
target_link_libraries(llmc_hdf5_shared INTERFACE ${HDF5_C_LIBRARIES} ZLIB::ZLIB)
list(GET HDF5_C_LIBRARIES 0 LLMC_HDF5_LIBRARY)
get_filename_component(LLMC_HDF5_FOLDER ${LLMC_HDF5_LIBRARY} DIRECTORY)
include(CheckCSourceCompiles)
set(CMAKE_REQUIRED_INCLUDES ${HDF5_C_INCLUDE_DIRS})
set(CMAKE_REQUIRED_LIBRARIES ${LLMC_HDF5_FOLDER}/libhdf5.a sz z m ${CMAKE_DL_LIBS})
check_c_source_compiles("#include <hdf5.h>\nint main(void) { return H5open(); }" LLMC_HDF5_STATIC)
add_library(llmc_hdf5 INTERFACE)
target_include_directories(llmc_hdf5 SYSTEM INTERFACE ${HDF5_C_INCLUDE_DIRS})
target_link_libraries(llmc_hdf5 INTERFACE
  $<IF:$<BOOL:${LLMC_HDF5_STATIC}>,${LLMC_HDF5_FOLDER}/libhdf5.a;sz;ZLIB::ZLIB;m;${CMAKE_DL_LIBS},llmc_hdf5_shared>)
unset(CMAKE_REQUIRED_INCLUDES)
unset(CMAKE_REQUIRED_LIBRARIES)

include(cmake/onnx_proto.cmake)
if(NOT LLMC_TRAINING)
  return()
endif()

pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)

# LibTorch: the unpacked wheel in LLMC_TORCH (cache entry or environment), or in
# the virtual environment that ./quickstart makes.
if(NOT LLMC_TORCH AND DEFINED ENV{LLMC_TORCH})
  set(LLMC_TORCH $ENV{LLMC_TORCH})
endif()
if(NOT LLMC_TORCH)
  file(GLOB LLMC_TORCH_FOUND ${PROJECT_SOURCE_DIR}/.venv/lib/python3*/site-packages/torch)
  list(GET LLMC_TORCH_FOUND 0 LLMC_TORCH)
endif()
if(NOT EXISTS ${LLMC_TORCH}/lib/libtorch_cpu.so)
  message(FATAL_ERROR "LibTorch not found in '${LLMC_TORCH}'. Run ./quickstart, which makes .venv with torch==2.13.0, "
    "or set LLMC_TORCH to the folder of an unpacked torch package, or LLMC_TRAINING=OFF to build only what answers.")
endif()
get_filename_component(LLMC_TORCH ${LLMC_TORCH} ABSOLUTE)
message(STATUS "LibTorch: ${LLMC_TORCH}")
add_library(llmc_libtorch INTERFACE)
target_link_libraries(llmc_libtorch INTERFACE ${LLMC_TORCH}/lib/libtorch_cpu.so ${LLMC_TORCH}/lib/libc10.so)
