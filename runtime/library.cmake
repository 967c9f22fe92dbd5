# What is installed: the module and all below it as one shared and one static library, which show the functions of
# include/llmc_runtime.h and nothing else.
include(CMakePackageConfigHelpers)

# The module and what it needs of those below as one object, in which the hidden names are local: they cannot clash
# with those of a program.
set(object ${CMAKE_CURRENT_BINARY_DIR}/llmc_runtime.o)
set(modules llmc_rt_kernels llmc_compressed llmc_hdf5_file llmc_architecture llmc_text llmc_base)
list(TRANSFORM modules REPLACE "(.+)" "$<TARGET_FILE:\\1>" OUTPUT_VARIABLE archives)
add_custom_command(OUTPUT ${object}
  COMMAND ${CMAKE_LINKER} -r -o ${object} --whole-archive $<TARGET_FILE:llmc_runtime> --no-whole-archive
          --start-group ${archives} --end-group
  COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${object}
  DEPENDS llmc_runtime ${modules}
  VERBATIM)
set_source_files_properties(${object} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)

add_library(llmc_runtime_shared SHARED ${object})
set_target_properties(llmc_runtime_shared PROPERTIES OUTPUT_NAME llmc_runtime LINKER_LANGUAGE C
                      VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
target_link_libraries(llmc_runtime_shared PRIVATE llmc_flags llmc_hdf5_shared ZLIB::ZLIB PkgConfig::UTF8PROC
                      OpenMP::OpenMP_C m)
target_link_options(llmc_runtime_shared PRIVATE -Wl,--as-needed)

add_library(llmc_runtime_static STATIC ${object})
set_target_properties(llmc_runtime_static PROPERTIES OUTPUT_NAME llmc_runtime LINKER_LANGUAGE C)

# What a program links beside the static library.
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/llmc_runtime)
configure_file(llmc_runtime.pc.in llmc_runtime.pc @ONLY)
configure_file(llmc_runtime-static.pc.in llmc_runtime-static.pc @ONLY)
configure_package_config_file(llmc_runtime-config.cmake.in llmc_runtime-config.cmake
  INSTALL_DESTINATION ${package_folder} PATH_VARS CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file(llmc_runtime-config-version.cmake COMPATIBILITY SameMinorVersion)

install(TARGETS llmc_runtime_shared llmc_runtime_static COMPONENT runtime)
install(FILES ${PROJECT_SOURCE_DIR}/include/llmc_runtime.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT runtime)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/llmc_runtime.pc ${CMAKE_CURRENT_BINARY_DIR}/llmc_runtime-static.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT runtime)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/llmc_runtime-config.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/llmc_runtime-config-version.cmake DESTINATION ${package_folder} COMPONENT runtime)
