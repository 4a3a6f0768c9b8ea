# Completion for windrow, windrow-node, windrow-origin and windrow-bench in
# fish. What is offered is what their --help says.
function __windrow_complete
    set -l words (commandline -opc)
    set -l ask $words[1]
    if string match -qr '(^|/)windrow$' -- $words[1]
        if test (count $words) -eq 1; or test "$words[2]" = help
            $ask --help 2>/dev/null | string replace -rf \
                '^  ([a-z]+) .*?  +([A-Z].*)$' '$1\t$2'
            printf '%s\n' --help --version
            return
        end
        set -a ask $words[2]
    end
    set -l help ($ask --help 2>/dev/null)
    set -l choices (printf '%s\n' $help |
        string replace -rf -- "^  $words[-1] (\S*\|\S*).*" '$1')
    if string match -q -- '--*' $words[-1]; and test -n "$choices"
        string split '|' -- $choices
    else
        printf '%s\n' $help |
            string match -r -- '^  (?:--[a-z-]+, )*--[a-z-]+' |
            string match -ra -- '--[a-z-]+'
        if string match -qr '(^|/)windrow-bench$' -- $words[1]
            printf '%s\n' list report
            $ask list 2>/dev/null | string replace -r '^(\S+) +' '$1\t'
        end
        __fish_complete_path (commandline -ct)
    end
end
for program in windrow windrow-node windrow-origin windrow-bench
    complete -c $program -f -a '(__windrow_complete)'
end
