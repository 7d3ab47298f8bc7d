# Trajectories of openmm_neuralmd in VMD: ligand coloured by RMSF, pocket, overlay.
#
#     source neuralmd.tcl
#     set prediction [neuralmd load topology.pdb trajectory.dcd]
#     neuralmd rmsf $prediction
#     neuralmd overlay $reference $prediction
#     neuralmd view $prediction
#
# README.md beside this file explains each. VMD counts snapshots and molecules from 0.

package require Tcl 8.5
package provide neuralmd 0.1

namespace eval ::neuralmd {
    # molecule -> residue (VMD's own number) of its ligand; -> residues of its pocket
    variable ligands
    variable pockets
    array set ligands {}
    array set pockets {}

    variable pocketDistance 5.0
    variable minimumHeavyAtoms 3
    # The names that openmm_neuralmd passes over too: caps, water, ions, buffers and lipids,
    # nucleotides. Any of them can be named all the same.
    variable neverALigand [split [join {
        "ACE NME NMA NH2 FOR CT3 NAC"
        "HOH WAT H2O DOD SOL TIP TIP2 TIP3 TIP4 TIP5 TP3 TP4 SPC SPCE OPC T3P"
        "NA NA+ SOD CL CL- CLA K K+ POT LI LI+ LIT RB RB+ CS CS+ CES F F- BR BR- IOD"
        "MG MG2 MG2+ CA CA2 CA2+ CAL ZN ZN2 ZN2+ MN MN2 FE FE2 FE3 CO NI CU CU1 CD CD2"
        "HG BA BAR SR AL"
        "SO4 PO4 CO3 BCT ACT ACY GOL EDO PEG PGE PG4 DMS FMT TRS MES EPE CIT BME NO3 IPA EOH MPD IMD"
        "POPC POPE DOPC DPPC DMPC DLPC DOPE DPPE POPS POPG CHL1 CHL CLR PA PC OL PE ST"
        "A C G U I DA DC DG DT DI DU A3 A5 C3 C5 G3 G5 U3 U5 DA3 DA5 DC3 DC5 DG3 DG5 DT3 DT5"
    }]]

    # VMD's color ids
    variable colours
    array set colours {protein 6 reference 10 referenceProtein 15 prediction 3 predictionProtein 5}

    namespace export load rmsf overlay view
    namespace ensemble create
}

# neuralmd load topology trajectory ?-ligand NAME? ?-pocket 5.0? ?-first 0? ?-last -1?
#
# Load a complex and its trajectory, superpose every snapshot on the CA atoms of the first one, draw
# protein, pocket and ligand, colour the ligand by RMSF. Returns VMD's number of the molecule.
proc ::neuralmd::load {topology trajectory args} {
    variable ligands
    variable pockets
    variable pocketDistance
    set options [dict create -ligand "" -pocket $pocketDistance -first 0 -last -1]
    foreach {option value} $args {
        if {![dict exists $options $option]} {
            error "neuralmd load: no option $option; there are [join [dict keys $options] {, }]"
        }
        dict set options $option $value
    }
    foreach file [list $topology $trajectory] {
        if {![file isfile $file]} {
            error "neuralmd load: no such file: $file"
        }
    }
    set molecule [mol new $topology waitfor all]
    if {[catch {
        ReadSnapshots $molecule $trajectory [dict get $options -first] [dict get $options -last]
        set ligands($molecule) [FindLigand $molecule [dict get $options -ligand]]
        Superpose $molecule $molecule
        set pockets($molecule) [FindPocket $molecule [dict get $options -pocket]]
        rmsf $molecule
        view $molecule
    } message]} {
        mol delete $molecule
        error "neuralmd load: $message"
    }
    return $molecule
}

# neuralmd rmsf molecule ?maximum?
#
# Colour the ligand by RMSF, from 0 to `maximum` A (default: the largest of a heavy atom): the root
# mean square fluctuation of each atom about its mean position, in the protein's frame, without a
# fit of the ligand. The values become the atoms' `beta`. Returns them.
proc ::neuralmd::rmsf {molecule {maximum ""}} {
    set ligand [Ligand $molecule]
    set atoms [atomselect $molecule $ligand]
    set values [measure rmsf $atoms]
    $atoms set beta $values
    $atoms delete
    set atoms [atomselect $molecule "$ligand and noh"]
    set heavy [lsort -real [$atoms get beta]]
    $atoms delete
    if {$maximum eq ""} {
        set maximum [lindex $heavy end]
    }
    variable colours
    set drawn [Draw $molecule [list ColorID $colours(protein)] Name Beta]
    mol scaleminmax $molecule $drawn 0.0 $maximum
    color scale method BGR
    puts [format "neuralmd: molecule %d: RMSF of %d heavy atoms over %d snapshots\
        %.2f to %.2f A; colours from 0 (blue) to %.2f A (red)" $molecule [llength $heavy] \
        [molinfo $molecule get numframes] [lindex $heavy 0] [lindex $heavy end] $maximum]
    return $values
}

# neuralmd overlay reference prediction
#
# Lay two loaded trajectories over each other: every snapshot of both on the CA atoms of the
# reference's first. The reference turns cyan, the prediction orange; the pocket is the reference's.
proc ::neuralmd::overlay {reference prediction} {
    variable colours
    foreach molecule [list $reference $prediction] {
        Superpose $molecule $reference
        mol on $molecule
    }
    set pale [list ColorID $colours(referenceProtein)]
    Draw $reference $pale $pale [list ColorID $colours(reference)]
    set pale [list ColorID $colours(predictionProtein)]
    Draw $prediction $pale {} [list ColorID $colours(prediction)]
    view $reference
}

# neuralmd view molecule ?around?
#
# Bring the ligand, with `around` A beside it, into the middle of the window; first snapshot.
proc ::neuralmd::view {molecule {around ""}} {
    variable pocketDistance
    if {$around eq ""} {
        set around $pocketDistance
    }
    set atoms [atomselect $molecule [Ligand $molecule] frame 0]
    set centre [measure center $atoms]
    set largest 0.0
    foreach low [lindex [measure minmax $atoms] 0] high [lindex [measure minmax $atoms] 1] {
        set largest [expr {max($largest, $high - $low)}]
    }
    $atoms delete
    mol top $molecule
    display resetview
    foreach other [molinfo list] {
        molinfo $other set center [list $centre]
    }
    # 1.5 fills VMD's window, as after `display resetview`
    scale to [expr {1.5 / (0.5 * $largest + $around)}]
    animate goto 0
}

# What follows is not for the console.

# Replace the snapshot of the topology by those of the trajectory.
proc ::neuralmd::ReadSnapshots {molecule trajectory first last} {
    set atoms [molinfo $molecule get numatoms]
    set before [molinfo $molecule get numframes]
    set failed [catch {mol addfile $trajectory first $first last $last waitfor all $molecule}]
    set read [expr {[molinfo $molecule get numframes] - $before}]
    if {$failed || $read < 1} {
        error "$trajectory cannot be read with $atoms atoms: a damaged file, or of other atoms"
    }
    if {$read < 2} {
        error "$trajectory: $read snapshot; a fluctuation needs 2 or more"
    }
    if {$before > 0} {
        animate delete beg 0 end [expr {$before - 1}] $molecule
    }
}

# The residue called `wanted` (NAME, CHAIN:NUMBER or CHAIN:NUMBER:NAME); without that the largest
# that is no protein, nucleic acid, water, ion or additive.
proc ::neuralmd::FindLigand {molecule wanted} {
    variable neverALigand
    variable minimumHeavyAtoms
    array set names {}
    array set sizes {}
    set atoms [atomselect $molecule noh]
    foreach atom [$atoms get {residue chain resid insertion resname}] {
        lassign $atom residue chain number insertion name
        set names($residue) "$chain:$number[string trim $insertion]:$name"
        incr sizes($residue)
    }
    $atoms delete
    set polymer [atomselect $molecule "protein or nucleic or water"]
    set polymers [lsort -unique -integer [$polymer get residue]]
    $polymer delete

    set candidates {}
    set found {}
    foreach residue [lsort -integer [array names names]] {
        lassign [split $names($residue) :] chain number name
        if {$wanted in [list $name "$chain:$number" $names($residue)]} {
            lappend found $residue
        }
        if {$name ni $neverALigand && $sizes($residue) >= $minimumHeavyAtoms
            && $residue ni $polymers} {
            lappend candidates [list $residue $sizes($residue) $names($residue)]
        }
    }
    set candidates [lsort -integer -decreasing -index 1 $candidates]
    if {$wanted eq ""} {
        if {![llength $candidates]} {
            error "no ligand found; name it with -ligand NAME or CHAIN:NUMBER"
        }
        return [lindex $candidates 0 0]
    }
    if {![llength $found]} {
        set shown {}
        foreach candidate $candidates {
            lappend shown [lindex $candidate 2]
        }
        error "no residue is called $wanted; candidates: [join $shown {, }]"
    }
    if {[llength $found] > 1} {
        error "[llength $found] residues are called $wanted; choose one, such as\
            -ligand $names([lindex $found 0])"
    }
    return [lindex $found 0]
}

# Residues with a heavy atom within a distance of one of the ligand's, in the first snapshot.
proc ::neuralmd::FindPocket {molecule distance} {
    set ligand [Ligand $molecule]
    set atoms [atomselect $molecule \
        "protein and noh and not $ligand and within $distance of ($ligand and noh)" frame 0]
    set residues [lsort -unique -integer [$atoms get residue]]
    $atoms delete
    return $residues
}

# Selection text of a loaded molecule's ligand.
proc ::neuralmd::Ligand {molecule} {
    variable ligands
    if {![info exists ligands($molecule)] || $molecule ni [molinfo list]} {
        error "molecule $molecule was not loaded by neuralmd load"
    }
    return "residue $ligands($molecule)"
}

# Lay every snapshot on the reference's first, by the CA atoms.
proc ::neuralmd::Superpose {molecule reference} {
    set target [atomselect $reference "protein and name CA and not [Ligand $reference]" frame 0]
    set alphas [atomselect $molecule "protein and name CA and not [Ligand $molecule]"]
    set all [atomselect $molecule all]
    if {[$alphas num] < 3} {
        error "molecule $molecule has no protein of 3 or more residues to superpose"
    }
    if {[$alphas num] != [$target num]} {
        error "molecule $molecule has [$alphas num] CA atoms, molecule $reference has\
            [$target num]: another protein"
    }
    for {set frame 0} {$frame < [molinfo $molecule get numframes]} {incr frame} {
        $alphas frame $frame
        $all frame $frame
        $all move [measure fit $alphas $target]
    }
    $target delete
    $alphas delete
    $all delete
}

# Cartoon of the protein, thin licorice of the pocket (unless its colour is empty), licorice of the
# ligand. Hydrogens on carbon are not drawn. Returns the number of the ligand's representation.
proc ::neuralmd::Draw {molecule proteinColour pocketColour ligandColour} {
    variable pockets
    set ligand [Ligand $molecule]
    while {[molinfo $molecule get numreps] > 0} {
        mol delrep 0 $molecule
    }
    Represent $molecule "protein and not $ligand" {NewCartoon 0.3 10 4.1 0} $proteinColour \
        Transparent
    if {[llength $pocketColour] && [llength $pockets($molecule)]} {
        Represent $molecule "noh and residue $pockets($molecule)" {Licorice 0.1 12 12} \
            $pocketColour Opaque
    }
    set polar "within 1.2 of ($ligand and noh and not element C)"
    return [Represent $molecule "$ligand and (noh or $polar)" {Licorice 0.25 12 12} \
        $ligandColour Opaque]
}

# Add a representation, without smoothing: between two snapshots there is no motion to show.
proc ::neuralmd::Represent {molecule selection style colour material} {
    mol addrep $molecule
    set number [expr {[molinfo $molecule get numreps] - 1}]
    mol modselect $number $molecule $selection
    mol modstyle $number $molecule {*}$style
    mol modcolor $number $molecule {*}$colour
    mol modmaterial $number $molecule $material
    mol smoothrep $molecule $number 0
    return $number
}
