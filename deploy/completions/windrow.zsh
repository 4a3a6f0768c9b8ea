#compdef windrow windrow-node windrow-origin windrow-bench
# Completion for windrow, windrow-node, windrow-origin and windrow-bench in zsh.
# What is offered is what their --help says.
local -a ask offered
local help choices before=$words[CURRENT-1]
ask=($words[1])
if [[ ${words[1]:t} == windrow ]]; then
    if (( CURRENT == 2 )) || [[ $words[2] == help ]]; then
        offered=(${(f)"$($words[1] --help 2>/dev/null |
            sed -nE 's/^  ([a-z]+) .*  +([A-Z].*)$/\1:\2/p')"}
            '--help:the commands' '--version:print the version')
        _describe command offered
        return
    fi
    ask+=($words[2])
fi
help=$($ask --help 2>/dev/null)
if [[ $PREFIX == -* ]]; then
    offered=(${=${"$(print -r -- $help |
        grep -oE '^  (--[a-z-]+, )*--[a-z-]+' | tr -d ,)"}})
    compadd -- $offered
    return
elif [[ $before == --* ]]; then
    choices=$(print -r -- $help | sed -n "s/^  $before \([^ ]*\).*/\1/p")
    if [[ $choices == *'|'* ]]; then
        compadd -- ${(s:|:)choices}
        return
    fi
elif [[ ${words[1]:t} == windrow-bench ]]; then
    offered=(${(f)"$($words[1] list 2>/dev/null |
        sed -nE 's/^([a-z]+) +(.*)$/\1:\2/p')"}
        'list:the suites' 'report:print the newest measurement')
    _describe suite offered
    return
fi
_files
