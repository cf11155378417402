"""What a launch script says: the words that its last training command gets."""

from __future__ import annotations

import pytest

from tests.interop.megatron.runs import SIZES, command, problem, read


@pytest.mark.parametrize(
    ("script", "name", "value"),
    [
        ("TP=4\nARGS=(--tensor-model-parallel-size $TP)\npython pretrain_gpt.py ${ARGS[@]} SIZES", "tp", 4),
        ('ARGS="--bf16 \\\n --tensor-model-parallel-size 2"\npython pretrain_gpt.py $ARGS SIZES', "tp", 2),
        ("python pretrain_gpt.py --tensor-model-parallel-size ${TP:-8} SIZES", "tp", 8),
        ("TP=2\npython pretrain_gpt.py --tensor-model-parallel-size ${TP:-8} SIZES", "tp", 2),
        ("A=2\nTP=3\npython pretrain_gpt.py --tensor-model-parallel-size ${TP:-${A}} SIZES", "tp", 3),
        ("A=2\npython pretrain_gpt.py --tensor-model-parallel-size ${TP:-${A}} SIZES", "tp", 2),
        ("N=4\npython pretrain_gpt.py --global-batch-size $((N * 16)) SIZES", "gbs", 64),
        ("N=4\npython pretrain_gpt.py --global-batch-size $(( ${N} + 4 )) SIZES", "gbs", 8),
        ("A=(--bf16)\nA+=(--tensor-model-parallel-size 2)\npython pretrain_gpt.py ${A[*]} SIZES", "tp", 2),
        ("python pretrain_gpt.py --tensor-model-parallel-size 2 SIZES --tensor-model-parallel-size 4", "tp", 4),
        ("python pretrain_gpt.py --tensor-model-parallel-size=4 SIZES", "tp", 4),
        ("python pretrain_gpt.py --tensor-model-parallel-size 4 # and not 8\\\n", "tp", 4),
        ("GPUS=8\ntorchrun --nproc_per_node $GPUS --nnodes=4 pretrain_gpt.py SIZES", "world", 32),
        ('A=("--tensor-model-parallel-size 4")\npython pretrain_gpt.py ${A[@]} SIZES', "tp", 4),
        ('R="python pretrain_gpt.py\n SIZES --tensor-model-parallel-size 4"\necho ${R}\neval ${R}', "tp", 4),
        ("export WORLD_SIZE=16\npython pretrain_gpt.py SIZES", "world", 16),
        ("OPTS='--bf16 --seq-length 2048'\npython pretrain_gpt.py SIZES $OPTS", "seq", 2048),
        ("python pretrain_gpt.py SIZES --tensor-model-parallel-size 2\npython pretrain_gpt.py SIZES "
         "--tensor-model-parallel-size 4", "tp", 4),
    ],
)  # fmt: skip
def test_words_of_a_script(script: str, name: str, value: object) -> None:
    text = script if "#" not in script else f"{script}\npython pretrain_gpt.py SIZES --tensor-model-parallel-size 4"
    assert read(text.replace("SIZES", SIZES)).plan[name] == value


def test_conditions_are_not_followed_and_said() -> None:
    text = f"TP=1\nif [ $BIG ]; then\n TP=8\nfi\npython pretrain_gpt.py {SIZES} --tensor-model-parallel-size $TP\n"
    found = read(text)
    assert found.plan["tp"] == 8
    assert "conditions and loops of the script are not followed (line 2)" in found.text


def test_a_variable_that_nothing_sets_is_an_error_at_its_place() -> None:
    assert problem(f"python pretrain_gpt.py {SIZES} --tensor-model-parallel-size $TP\n") == (
        "E509 1:166 --tensor-model-parallel-size is a whole number, not '$TP' | "
        "the script does not say what $TP is: write the value"
    )


def test_variables_of_the_environment_that_change_memory() -> None:
    text = f"export CUBLAS_WORKSPACE_CONFIG=:4096:8\npython pretrain_gpt.py {SIZES}\n"
    assert read(text).plan["cublas_workspace"] == ":4096:8"
    assert read(f"NVTE_FLASH_ATTN=0 NVTE_FUSED_ATTN=0 python pretrain_gpt.py {SIZES}\n").plan["attention"] == "unfused"


def test_a_script_without_a_training_command() -> None:
    assert problem("# --num-layers 2 --hidden-size 64 --seq-length 8\necho done\n").startswith("E530 1:1")


def test_an_unknown_argument_has_a_near_spelling_and_may_be_left_out() -> None:
    text = f"python pretrain_gpt.py {SIZES} --tensor-model-paralel-size 2\n"
    assert "did you mean '--tensor-model-parallel-size'?" in problem(text)
    left_out = read(text, lenient=True)
    assert left_out.plan["tp"] == 1
    assert "--tensor-model-paralel-size is no argument that is known, and left out" in left_out.text


def test_an_argument_that_changes_more_than_is_modelled_is_said_unless_it_has_its_default() -> None:
    found = command("--fp32-residual-connection --kv-channels 32 --rotary-base 10000 --log-interval 5")
    assert "--fp32-residual-connection is not modelled: the residual stream is in fp32" in found.text
    assert "--rotary-base" not in found.text and "--log-interval" not in found.text
