# ONNX's messages in C, from Debian's onnx.proto.
find_program(PROTOC_C protoc-c REQUIRED)
find_path(ONNX_PROTO_FOLDER onnx.proto PATH_SUFFIXES onnx REQUIRED)
pkg_check_modules(PROTOBUF_C REQUIRED IMPORTED_TARGET libprotobuf-c)

set(ONNX_GENERATED ${PROJECT_BINARY_DIR}/onnx)
file(MAKE_DIRECTORY ${ONNX_GENERATED})
add_custom_command(OUTPUT ${ONNX_GENERATED}/onnx.pb-c.c ${ONNX_GENERATED}/onnx.pb-c.h
  COMMAND ${PROTOC_C} --proto_path=${ONNX_PROTO_FOLDER} --c_out=${ONNX_GENERATED} onnx.proto
  DEPENDS ${ONNX_PROTO_FOLDER}/onnx.proto VERBATIM)
add_library(llmc_onnx_proto STATIC ${ONNX_GENERATED}/onnx.pb-c.c ${ONNX_GENERATED}/onnx.pb-c.h)
target_include_directories(llmc_onnx_proto SYSTEM PUBLIC ${ONNX_GENERATED})
target_link_libraries(llmc_onnx_proto PUBLIC PkgConfig::PROTOBUF_C)
