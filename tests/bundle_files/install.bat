@echo off
rem Installs srlab into .venv beside this file, from this folder alone.
cd /d "%~dp0"
if not defined PYTHON set PYTHON=python
"%PYTHON%" -c "import sys; sys.exit(sys.version_info[:2] != tuple(map(int, '@PYTHON@'.split('.'))))" || (
    echo This bundle needs Python @PYTHON@; set PYTHON to the path of one.
    exit /b 1
)
"%PYTHON%" -m venv --clear .venv || exit /b 1
.venv\Scripts\python -m pip install --disable-pip-version-check --quiet --isolated --no-index --find-links wheels --require-hashes --no-deps -r requirements.txt || exit /b 1
echo Installed. Open the lessons: .venv\Scripts\srlab lab
