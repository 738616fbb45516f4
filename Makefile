# `make help` lists the targets. PORT, HOST and the rest are described in the README.
PY := .venv/bin/python
export PYTHONPATH := $(CURDIR)
export RASA_TELEMETRY_ENABLED := false
BOOT_PYTHON := $(firstword $(shell command -v python3 python 2>/dev/null))

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run chat train test check knowledge document preview report facts-reached evaluate \
  evaluate-safety bench compare-nlu adapters chaos flood fuzz sbom audit lock clean

# Rasa's and TensorFlow's warnings are about their own insides; tests see them.
chat evaluate evaluate-safety bench compare-nlu adapters chaos flood fuzz facts-reached preview report knowledge: \
  export PYTHONWARNINGS := ignore
evaluate evaluate-safety compare-nlu adapters: export TF_CPP_MIN_LOG_LEVEL := 3

help:  ## Show what can be done
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

setup:  ## Make the environment that the bot runs in
	@$(BOOT_PYTHON) scripts/bootstrap.py run

setup-dev:  ## Make the environment with what tests need besides
	@$(BOOT_PYTHON) scripts/bootstrap.py dev

run: setup  ## Start the bot; sets up and trains what is missing
	@exec $(PY) -m bot.serve

chat: setup  ## Chat in the terminal
	@$(PY) -m bot.chat

train: setup  ## Train the model if its inputs changed (FORCE=1: always)
	@$(PY) -m bot.train $(if $(FORCE),--force)

knowledge: setup  ## Check the knowledge base and write the files made from it
	@$(PY) -m bot.generate && echo "The knowledge base is sound."

document: setup  ## Note the words of a new source document (FILE=text.txt), which ours must not repeat
	@$(PY) -m bot.document $(FILE)

preview: setup-dev  ## Show every answer for every part of the body as one page (results/preview.html)
	@$(PY) -m bot.evaluation.preview

report: setup  ## Tell what is asked most, what is not understood and which answers do not help
	@$(PY) -m bot.report

facts-reached: setup-dev  ## Write docs/facts-reached.md: for each fact a question that brings it up
	@$(PY) -m bot.evaluation.reached

check: setup-dev  ## Lint, types, generated files, Rasa's own validation
	@scripts/check.sh

test: setup-dev  ## Run all checks and tests
	@scripts/check.sh
	@$(PY) -m bot.train
	@scripts/browser.sh
	@$(PY) -m pytest

evaluate: setup-dev  ## Figures on held-out data (DATA=file.jsonl: on another file)
	@$(PY) -m bot.train
	@$(PY) -m bot.evaluation $(DATA)

evaluate-safety: setup-dev  ## Figures of the red-flag screen (DATA=file.jsonl; WRITE=1: into docs/)
	@$(PY) -m bot.train
	@$(PY) -m bot.evaluation.safety $(if $(WRITE),--write) $(DATA)

bench: setup-dev  ## Speed, memory and growth beside Rasa's default into docs/performance.md (hours; QUICK=1: minutes)
	@$(PY) -m bot.train
	@$(PY) -m bot.evaluation.bench $(if $(QUICK),--quick) $(OPTIONS)

compare-nlu: setup-dev  ## NLU configurations and learning curves into docs/nlu-evaluation.md (hours; QUICK=1; HINT3=folder)
	@$(PY) -m bot.evaluation.nlu_comparison $(if $(QUICK),--quick) $(if $(HINT3),--hint3 $(HINT3)) $(OPTIONS)

adapters: setup-dev  ## Fit the encoder to changed phrases and danger examples and store the result (up to an hour)
	@$(PY) -m bot.nlu.fit_adapters

chaos: setup-dev  ## Kill parts under load and count what people see (ARGS="--cluster --rate 20 --minutes 30")
	@$(PY) -m bot.evaluation.chaos $(ARGS)

flood: setup-dev  ## Other people's waiting time while one address, or many, flood (ARGS="--seconds 20")
	@$(PY) -m bot.evaluation.flood $(ARGS)

fuzz: setup-dev  ## Coverage-guided fuzzing of all property tests (ARGS="--seconds 60 [name]")
	@$(PY) tests/fuzz.py $(ARGS)

sbom:  ## Write the bill of materials (CycloneDX) from the locks
	@$(PY) scripts/sbom.py

audit:  ## Ask for known vulnerabilities of the locked packages (needs network, uv and npm)
	@scripts/audit.sh

lock:  ## Lock the requirements again after requirements/*.in changed (needs uv)
	@scripts/lock.sh

clean:  ## Remove what was made, the environment included
	rm -rf .venv models var .rasa results .pytest_cache .mypy_cache .ruff_cache .hypothesis
