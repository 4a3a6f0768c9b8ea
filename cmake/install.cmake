# Where `cmake --install` puts things, and the Debian packages that `cpack`
# makes of them: the places Debian expects, a component a package.
#
#   windrow        the master, pipelines, documentation, schedule by systemd
#   windrow-node   the node, which also serves a master on another machine
#   windrow-bench  windrow-bench, the benchmarks, and windrow-origin, the server
#                  that plays the sites
set(windrow_deploy ${CMAKE_SOURCE_DIR}/deploy)
set(windrow_units lib/systemd/system)

# windrow_page(COMPONENT PAGE...): manual pages, compressed as Debian wants them.
function(windrow_page component)
    foreach(page IN LISTS ARGN)
        string(REGEX REPLACE ".*\\." "" section ${page})
        windrow_gzip(${CMAKE_SOURCE_DIR}/docs/man/${page} ${page}.gz)
        install(FILES ${CMAKE_BINARY_DIR}/packages/${page}.gz
                DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section}
                COMPONENT ${component})
    endforeach()
endfunction()

# Without the time, so that the same source gives the same file.
function(windrow_gzip source name)
    set(made ${CMAKE_BINARY_DIR}/packages/${name})
    add_custom_command(OUTPUT ${made}
        COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/packages
        COMMAND sh -c "gzip -9nc '${source}' >'${made}'"
        DEPENDS ${source} VERBATIM)
    string(MAKE_C_IDENTIFIER ${name} target)
    add_custom_target(page_${target} ALL DEPENDS ${made})
endfunction()

# What each program has besides itself: its completions.
function(windrow_completions program component)
    # One file a shell: each completes all the programs.
    install(FILES ${windrow_deploy}/completions/windrow.bash
            DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
            RENAME ${program} COMPONENT ${component})
    install(FILES ${windrow_deploy}/completions/windrow.zsh
            DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions
            RENAME _${program} COMPONENT ${component})
    install(FILES ${windrow_deploy}/completions/windrow.fish
            DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d
            RENAME ${program}.fish COMPONENT ${component})
endfunction()

function(windrow_program program component)
    install(TARGETS ${program} RUNTIME COMPONENT ${component})
    windrow_completions(${program} ${component})
endfunction()

windrow_program(windrow windrow)
windrow_program(windrow-node windrow-node)
windrow_program(windrow-origin windrow-bench)
windrow_page(windrow windrow.1 windrow-pipeline.5)
windrow_page(windrow-node windrow-node.1)
windrow_page(windrow-bench windrow-bench.1 windrow-origin.1)

# The benchmarks: a script, its modules, and programs of no use by themselves.
install(PROGRAMS bench/windrow-bench DESTINATION ${CMAKE_INSTALL_BINDIR}
        COMPONENT windrow-bench)
windrow_completions(windrow-bench windrow-bench)
install(DIRECTORY bench/harness bench/suites bench/peers bench/models
        DESTINATION ${CMAKE_INSTALL_DATADIR}/windrow-bench
        COMPONENT windrow-bench PATTERN __pycache__ EXCLUDE
        PATTERN "*.[ch]" EXCLUDE)
install(TARGETS windrow-bench-loop windrow-bench-micro windrow-bench-models
                windrow-bench-store
        RUNTIME DESTINATION lib/windrow-bench COMPONENT windrow-bench)

set(windrow_doc ${CMAKE_INSTALL_DATADIR}/doc/windrow)
install(DIRECTORY pipelines/ DESTINATION ${CMAKE_INSTALL_DATADIR}/windrow/pipelines
        COMPONENT windrow FILES_MATCHING PATTERN "*.yaml" PATTERN "*.csv")
install(FILES README.md DESTINATION ${windrow_doc} COMPONENT windrow OPTIONAL)
install(DIRECTORY docs/ DESTINATION ${windrow_doc}/docs COMPONENT windrow
        OPTIONAL FILES_MATCHING PATTERN "*.md" PATTERN "*.svg" PATTERN "*.png"
        PATTERN man EXCLUDE PATTERN capture EXCLUDE)
install(FILES proto/PROTOCOL.md DESTINATION ${windrow_doc}/proto
        COMPONENT windrow OPTIONAL)
install(FILES docs/sample.env DESTINATION ${windrow_doc}/examples
        COMPONENT windrow OPTIONAL)
install(FILES ${windrow_deploy}/systemd/windrow@.service
              ${windrow_deploy}/systemd/windrow@.timer
        DESTINATION ${windrow_units} COMPONENT windrow)
install(PROGRAMS ${windrow_deploy}/systemd/scheduled
        DESTINATION lib/windrow COMPONENT windrow)
install(FILES ${windrow_deploy}/systemd/windrow-node@.service
        DESTINATION ${windrow_units} COMPONENT windrow-node)

set(CPACK_PACKAGE_CONTACT
    "Windrow developers <maintainers@users.noreply.r-seed-231241a0.example>")

# What Debian wants in each package: who may copy it, and what changed.
configure_file(${windrow_deploy}/debian/changelog.in
               ${CMAKE_BINARY_DIR}/packages/changelog @ONLY)
windrow_gzip(${CMAKE_BINARY_DIR}/packages/changelog changelog.gz)
foreach(package IN ITEMS windrow windrow-node windrow-bench)
    set(doc ${CMAKE_INSTALL_DATADIR}/doc/${package})
    install(FILES ${windrow_deploy}/debian/copyright DESTINATION ${doc}
            COMPONENT ${package})
    install(FILES ${CMAKE_BINARY_DIR}/packages/changelog.gz
            DESTINATION ${doc} COMPONENT ${package})
endforeach()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME windrow)
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/packages)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL windrow windrow-node windrow-bench)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_PACKAGE_DESCRIPTION_SUMMARY
    "keys from the web, a page for each, rows in a database")
set(windrow_about
    "Windrow reads a list of keys from the web, fetches one page for each key,
takes the fields named in a YAML file out of each answer, and stores them as
rows in PostgreSQL or SQLite. Every key of a run ends as its rows or as one
recorded failure, once, whatever is killed on the way.")
string(CONCAT CPACK_COMPONENT_WINDROW_DESCRIPTION "${windrow_about}\n\n"
    "This is the master: it reads the pipeline, hands out the work and shows
how far it is.")
string(CONCAT CPACK_COMPONENT_WINDROW-NODE_DESCRIPTION "${windrow_about}\n\n"
    "This is the node, one process a core. The master starts its own on its
machine; on other machines this package serves a master over the network.")
string(CONCAT CPACK_COMPONENT_WINDROW-BENCH_DESCRIPTION "${windrow_about}\n\n"
    "This is windrow-bench, which measures Windrow, and others beside it, on
this machine; and windrow-origin, which answers as those sites would, with
delays and faults on demand: for tries, tests and measurements without a
network.")
set(CPACK_DEBIAN_WINDROW_PACKAGE_NAME windrow)
set(CPACK_DEBIAN_WINDROW_PACKAGE_DEPENDS "windrow-node (= ${PROJECT_VERSION}), tzdata")
set(CPACK_DEBIAN_WINDROW_PACKAGE_SUGGESTS "postgresql, windrow-bench")
set(CPACK_DEBIAN_WINDROW-NODE_PACKAGE_NAME windrow-node)
set(CPACK_DEBIAN_WINDROW-NODE_PACKAGE_DEPENDS ca-certificates)
set(CPACK_DEBIAN_WINDROW-BENCH_PACKAGE_NAME windrow-bench)
# What is missing of the rest is left out of a measurement, which says so.
set(CPACK_DEBIAN_WINDROW-BENCH_PACKAGE_DEPENDS "python3")
set(CPACK_DEBIAN_WINDROW-BENCH_PACKAGE_RECOMMENDS
    "windrow (= ${PROJECT_VERSION}), nginx-light, wrk, curl, postgresql, gnuplot-nox")
set(CPACK_DEBIAN_WINDROW-BENCH_PACKAGE_SUGGESTS
    "linux-perf, golang-go, golang-github-jackc-pgx-v4-dev, python3-aiohttp, python3-asyncpg, python3-uvloop, python3-requests, python3-psycopg2, python3-scrapy")
include(CPack)
