"""Scripts that repeat a step with the upstream libraries only.

A format or a runner says how it is made, loaded and called (`parts`): by functions that the product runs too, which use
the upstream libraries alone and whose own source a script contains (`sources`), and by their calls as source text
(`code`). `scripts` makes a whole script of it for one model, with its names, types and files as literals.

Of a script's text this is no source of the product's, and why:

- how this model is called and what it returns (`Flat`, `serve`, `infer`): the product reads the structures of any model
  while it runs and tells of other ones; a script has those of one model, written as one would write them;
- the verdicts (`comparison`): they are made of the product's own measures, but the product's also tell places and what
  would pass, which takes ten times the lines; tests hold the script's verdicts against them on arbitrary arrays;
- the timing: the product measures windows until they agree, and who else uses the machine; a script times a call;
- reading samples: the product does not trust the files, a script is run by who made them;
- the run of an engine: the product runs engines by CUDA itself, a script by Polygraphy.
"""
