# ONNX's messages in C, from Debian's onnx.proto: target llmc_onnx_proto. Where only answering is built, it may be
# missing, and with it `llmc export --to onnx`.
if(LLMC_TRAINING)
  set(required REQUIRED)
endif()
find_program(PROTOC_C protoc-c ${required})
find_path(ONNX_PROTO_FOLDER onnx.proto PATH_SUFFIXES onnx ${required})
if(NOT TARGET PkgConfig::PROTOBUF_C)
  pkg_check_modules(PROTOBUF_C ${required} IMPORTED_TARGET libprotobuf-c)
endif()
if(NOT PROTOC_C OR NOT ONNX_PROTO_FOLDER OR NOT TARGET PkgConfig::PROTOBUF_C)
  message(STATUS "ONNX: left out, as protoc-c, onnx.proto or libprotobuf-c was not found")
  return()
endif()

set(ONNX_GENERATED ${PROJECT_BINARY_DIR}/onnx)
file(MAKE_DIRECTORY ${ONNX_GENERATED})
add_custom_command(OUTPUT ${ONNX_GENERATED}/onnx.pb-c.c ${ONNX_GENERATED}/onnx.pb-c.h
  COMMAND ${PROTOC_C} --proto_path=${ONNX_PROTO_FOLDER} --c_out=${ONNX_GENERATED} onnx.proto
  DEPENDS ${ONNX_PROTO_FOLDER}/onnx.proto VERBATIM)
add_library(llmc_onnx_proto STATIC ${ONNX_GENERATED}/onnx.pb-c.c ${ONNX_GENERATED}/onnx.pb-c.h)
target_include_directories(llmc_onnx_proto SYSTEM PUBLIC ${ONNX_GENERATED})
target_link_libraries(llmc_onnx_proto PUBLIC PkgConfig::PROTOBUF_C)
