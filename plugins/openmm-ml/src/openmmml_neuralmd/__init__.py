"""BindingNet energy models as the potential 'neuralmd' of OpenMM-ML.

OpenMM-ML finds it by its entry point; there is nothing here to import by hand.
"""

# Importing openmmml loads the entry point `potential`.  It has to come first: otherwise
# `import openmmml_neuralmd.potential` would be asked for its classes before it has them.
import openmmml as openmmml
