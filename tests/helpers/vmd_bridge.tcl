# VMD's commands for tclsh: each call goes to tests/vmd_commands.py over the standard streams, and its
# answer comes back. As in VMD, an atom selection ends with the procedure that made it.
#
#     tclsh vmd_bridge.tcl script.tcl

fconfigure stdin -translation lf
fconfigure stdout -translation lf -buffering line
rename puts write

proc ask {args} {
    set words {}
    foreach word $args {
        lappend words "=[binary encode base64 [encoding convertto utf-8 $word]]"
    }
    write [join $words " "]
    lassign [gets stdin] status answer
    set text [encoding convertfrom utf-8 [binary decode base64 [string range $answer 1 end]]]
    if {$status ne "ok"} {
        return -code error $text
    }
    return $text
}

foreach command {mol molinfo measure animate display color scale puts} {
    proc $command {args} "ask $command {*}\$args"
}

proc atomselect {args} {
    set name [ask atomselect {*}$args]
    proc ::$name {args} "
        if {\$args eq {delete}} {
            uplevel 1 {unset upproc_var_$name}
        } else {
            ask $name {*}\$args
        }
    "
    upvar 1 upproc_var_$name life
    set life $name
    trace add variable life unset "forget $name"
    return $name
}

proc forget {name args} {
    rename ::$name {}
    ask $name delete
}

if {[catch {uplevel #0 [list source [lindex $argv 0]]} message]} {
    ask failed $message
}
