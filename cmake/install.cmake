# Where `cmake --install` puts things: the places Debian expects.
foreach(program IN ITEMS windrow windrow-node windrow-origin)
    if(TARGET ${program})
        install(TARGETS ${program} RUNTIME)
    endif()
endforeach()

set(windrow_doc ${CMAKE_INSTALL_DATADIR}/doc/windrow)
install(DIRECTORY pipelines/ DESTINATION ${CMAKE_INSTALL_DATADIR}/windrow/pipelines
        OPTIONAL FILES_MATCHING PATTERN "*.yaml" PATTERN "*.csv")
install(FILES README.md LICENSE CHANGELOG.md DESTINATION ${windrow_doc} OPTIONAL)
install(DIRECTORY docs/ DESTINATION ${windrow_doc}/docs OPTIONAL
        FILES_MATCHING PATTERN "*.md" PATTERN "*.svg")
install(FILES proto/PROTOCOL.md DESTINATION ${windrow_doc}/proto OPTIONAL)
install(FILES docs/sample.env DESTINATION ${windrow_doc}/examples OPTIONAL)
foreach(section IN ITEMS 1 5)
    install(DIRECTORY docs/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section}
            OPTIONAL FILES_MATCHING PATTERN "*.${section}")
endforeach()
