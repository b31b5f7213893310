"""Which jobs a target asks for, and from which files."""

import re
import resource
import shutil
import textwrap
from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from digest_workflow import counted, planned
from forked_snakemake import snakemake, started_anew

from lohrec.configuration.sections import flat


def test_another_recommender_is_a_module_with_settings_and_a_row(
    fresh: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(fresh, tmp_path / "run"))
    setting = {"type": "integer", "minimum": 1, "default": 5, "description": "Items compared."}
    path = folder / "workflow_scripts/lohrec/recommender/baselines/nearest.py"
    path.write_text(f"SETTINGS = {{'neighbours': {setting}}}\n")
    refusal = "recommenders.nearest.neighbours: 0 is not: integer"
    for value, said in ((3, "results/demo/mine/seed_0/model"), (0, refusal)):
        row = {"recommender": "nearest", "settings": {"recommenders": {"nearest": {}}}}
        row["settings"]["recommenders"]["nearest"]["neighbours"] = value
        (folder / "mine.yaml").write_text(yaml.safe_dump({"variants": {"mine": row}}))
        target = "results/demo/mine/metrics.json"
        status, printed = snakemake(
            folder, "-n", "--cores", "2", target, "--configfile", "mine.yaml"
        )
        assert bool(status) == (value == 0) and said in printed, printed


@pytest.mark.parametrize("name", ["Gift_Cards.json.gz", "Gift_Cards.csv"])
def test_all_reviews_or_ratings_serve_where_the_5_core_is_not_there(
    fresh: Path, tmp_path: Path, name: str
) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    for file in (name, "meta_Gift_Cards.json.gz"):
        (raw / file).write_text("raw")
    target = "results/gift_cards/data/statistics.json"
    assert planned(fresh, target, "--config", f"raw_dir={raw}") == {"ingest": 1}


def test_other_names_count_after_a_download(fresh: Path, tmp_path: Path) -> None:
    raw, target = tmp_path / "raw", "results/gift_cards/data/statistics.json"
    raw.mkdir()
    for file in (raw / "Gift_Cards.csv", raw / "meta_Gift_Cards.json.gz"):
        file.write_text("raw")
    folder = Path(shutil.copytree(fresh, tmp_path / "run"))
    download = folder / "resources/downloads/Gift_Cards_5.json.gz"
    download.parent.mkdir(parents=True)
    download.write_text("raw")
    status, printed = snakemake(folder, "-n", "--cores", "2", target, "--config", f"raw_dir={raw}")
    assert status == 0, printed
    assert "resources/downloads/Gift_Cards_5.json.gz" in printed and "Gift_Cards.csv" not in printed


def test_a_row_asks_only_for_what_it_needs(fresh: Path) -> None:
    status, printed = snakemake(fresh, "-n", "--cores", "8", "results/gift_cards/comparison.json")
    assert status == 0, printed
    makers = {}
    for rule, inputs, outputs in re.findall(
        r"^(?:local)?rule (\w+):\n(?:    input: (.*)\n)?    output: (.*)$", printed, re.MULTILINE
    ):
        for output in outputs.split(", "):
            makers[output] = rule, inputs.split(", ") if inputs else []

    def needs(variant: str) -> set[str]:
        rules, todo = set(), [f"results/gift_cards/{variant}/seed_0/recommendations.parquet"]
        while todo:
            file = todo.pop()
            rule, inputs = makers[file]
            rules.add(f"{rule} {Path(file).stem}" if rule in wide else rule)
            todo += inputs
        return rules

    wide = {"gather_shards", "order_candidates", "teach"}  # one rule for several artefacts
    data = {"download_reviews", "ingest", "split_sequences"}
    ids = data | {"embed_items", "train_rqvae", "assign_semantic_ids"}
    tiger = ids | {"fit", "recommend"}
    distill = tiger | {"train_teacher", "score_codewords", "gather_shards probabilities"}
    ordered = {
        "train_teacher",
        "generate_candidates",
        "gather_shards beams",
        "order_candidates teacher",
    }
    assert needs("popularity") == data | {"fit", "recommend"}
    assert needs("lcrec") == ids | {"train_teacher", "fit", "recommend"}
    assert needs("tiger") == needs("smooth") == tiger
    assert needs("distill") == distill
    assert needs("dwr") == distill | ordered
    assert needs("dwr_no_distill") == tiger | ordered
    assert needs("dwr_distance") == distill | {"order_candidates distance"}
    assert needs("dwr_cooccurrence") == distill | {"order_candidates cooccurrence"}
    assert needs("dtr") == distill | ordered
    assert needs("distill_compact") == tiger | {"teach probabilities", "fit_fold"}
    # Each seed of a member is a member.
    _, inputs = makers["results/gift_cards/ensemble/seed_0/model/recommender.json"]
    members = [file for file in inputs if "tiger_compact" in file]
    assert len(members) == 3
    # What teaches a fold of users is of fits without them, where a member has such.
    rule, inputs = makers["results/gift_cards/ensemble/seed_0/folds/4/model/recommender.json"]
    assert rule == "fit_fold"
    assert "results/gift_cards/ease/seed_0/folds/4/model/recommender.json" in inputs
    assert set(members) <= set(inputs)
    # Training that starts from another row starts from that row's model of the same seed.
    _, inputs = makers["results/gift_cards/dwr/seed_2/model/recommender.json"]
    assert "results/gift_cards/distill/seed_2/model/recommender.json" in inputs


def test_a_row_with_other_identifiers_asks_for_no_text(fresh: Path) -> None:
    data = {"download_reviews", "ingest", "split_sequences", "fit", "recommend"}
    lists = "results/gift_cards/{}/seed_0/recommendations.parquet"
    assert planned(fresh, lists.format("sasrec")).keys() == data
    assert planned(fresh, lists.format("p5_cid")).keys() == data | {"cluster_items"}


def test_a_search_fits_a_row_for_each_of_its_trials(fresh: Path, tmp_path: Path) -> None:
    trials = [{}, {"training": {"epochs": 2}}, {"networks": {"t5": {"dropout": 0.5}}}]
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"searches": {"tiger": trials}}))
    one = "results/demo/tiger-1/seed_0/model/recommender.json"
    given = "results/demo/searches/tiger.md", one, "--configfile", str(tmp_path / "mine.yaml")
    jobs = planned(fresh, *given)
    assert jobs["fit"] == 3 and jobs["tabulate_search"] == 1 and "recommend" not in jobs


def test_the_papers_baselines_are_searched_alike(fresh: Path) -> None:
    names = ["caser", "hgn", "gru4rec", "bert4rec", "sasrec", "fmlp_rec", "fdsa", "s3_rec"]
    names.append("p5_cid")
    trials = yaml.safe_load((ROOT / "config/searches.yaml").read_text())["searches"]
    each = {len(trials[name]) for name in names}
    assert len(each) == 1
    for name in names:
        assert all(trials[name].count(t) == 1 for t in trials[name])
        # Either the row as it is comes once, or all trials name the same settings.
        named = {tuple(sorted(flat(trial))) for trial in trials[name]}
        assert trials[name].count({}) == 1 or len(named) == 1
    jobs = planned(fresh, *(f"results/demo/searches/{name}.md" for name in names))
    assert jobs["fit"] == len(names) * each.pop() and jobs["tabulate_search"] == len(names)
    assert "recommend" not in jobs and "evaluate" not in jobs


def test_every_sweep_fits_the_values_that_its_row_does_not_have(fresh: Path) -> None:
    sweeps = yaml.safe_load((ROOT / "config/searches.yaml").read_text())["sweeps"]
    targets = [f"results/demo/sweeps/{name}.md" for name in sweeps]
    jobs = planned(fresh, *targets)
    assert jobs["draw_sweep"] == len(sweeps) == 10
    # The rows dwr, distill, smooth, tiger and ease are each fitted once, and have a value of each
    # sweep of theirs; beams fit nothing, and lists of the usual width are there already.
    own = {sweep["row"] for sweep in sweeps.values()}
    fitted = [len(s["values"]) - 1 for s in sweeps.values() if s["setting"] != "decoding.beams"]
    assert jobs["fit"] == sum(fitted) + len(own) and jobs["recommend_at_width"] == 2
    assert jobs["train_teacher"] == jobs["train_rqvae"] == jobs["order_candidates"] == 1


def test_every_study_is_one_job_on_the_dev_set(fresh: Path) -> None:
    studies = yaml.safe_load((ROOT / "config/searches.yaml").read_text())["studies"]
    jobs = planned(fresh, *(f"results/demo/studies/{name}.md" for name in studies))
    assert jobs["search_ranges"] == len(studies) == 2
    assert not {"fit", "recommend", "evaluate"} & jobs.keys()


def test_two_hundred_rows_of_five_seeds_are_planned_in_seconds(fresh: Path, tmp_path: Path) -> None:
    variants = {
        f"tiger_{n}": {"loss": "one_hot", "settings": {"training": {"epochs": n + 1}}}
        for n in range(200)
    }
    row = {"preset": "demo", "source": "simulated", "seeds": [*range(5)]}
    row |= {"variants": [*variants], "reference": "tiger_0"}
    overlay = {"datasets": {"many": row}, "variants": variants}
    (tmp_path / "many.yaml").write_text(yaml.safe_dump(overlay))
    given = "--quiet", "rules", "--configfile", str(tmp_path / "many.yaml")

    def spent() -> float:
        """Of a processor, whatever else it does."""
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    began = spent()
    planned(fresh, *given, "--", "results/many/tiger_0/metrics.json", run=started_anew)
    of_one = spent() - began
    jobs = planned(fresh, *given, "--", "results/many/comparison.json", run=started_anew)
    of_all = spent() - began - of_one
    assert jobs["fit"] == jobs["recommend"] == jobs["evaluate"] == 1000
    print(f"{sum(jobs.values()):,} jobs planned in {of_all:.1f} s, a row's in {of_one:.1f}")
    # Processors differ by three times, so the time of a plan is held against that of a short one.
    assert of_all < 10 * of_one


def test_a_plan_is_made_without_pytorch(fresh: Path, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('PyTorch takes seconds')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert planned(fresh, "results/demo/dwr/metrics.json", run=started_anew)["fit"] == 2


def test_the_readme_changes_a_setting(fresh: Path, tmp_path: Path) -> None:
    overlay = re.search(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    (tmp_path / "mine.yaml").write_text(textwrap.dedent(overlay))
    given = "results/demo/comparison.md", "--configfile", str(tmp_path / "mine.yaml")
    assert planned(fresh, *given)["fit"] == 2


def test_published_ids_are_imported_and_not_trained(fresh: Path, tmp_path: Path) -> None:
    target = "results/instruments_lcrec/tiger/metrics.json"
    status, printed = snakemake(fresh, "-n", "--cores", "1", target)
    assert status != 0
    assert "needs Instruments." in printed and "--config raw_dir=FOLDER" in printed

    (tmp_path / "lcrec").mkdir()
    (tmp_path / "lcrec" / "Instruments.inter.json").write_text("{}")
    given = "--config", f"raw_dir={tmp_path}"
    status, printed = snakemake(fresh, "-n", "--cores", "1", target, *given)
    assert status and "needs Instruments.index.json" in printed and "recipe: lcrec" in printed
    (tmp_path / "lcrec" / "Instruments.index.json").write_text("{}")
    jobs = planned(fresh, target, "--config", f"raw_dir={tmp_path}")
    assert {"ingest", "import_semantic_ids", "embed_interactions"} <= jobs.keys()
    assert not {"train_rqvae", "embed_items", "train_teacher"} & jobs.keys()
    row = yaml.safe_load((ROOT / "config/config.yaml").read_text())["datasets"]["instruments_lcrec"]
    assert jobs["fit"] == len(row["seeds"])  # TIGER needs no other row's model

    row["settings"]["evaluation"]["diversity"] = "text"
    (tmp_path / "text.yaml").write_text(yaml.safe_dump({"datasets": {"instruments_lcrec": row}}))
    overlay = "--configfile", str(tmp_path / "text.yaml"), "--config", f"raw_dir={tmp_path}"
    status, printed = snakemake(fresh, "-n", "--cores", "1", target, *overlay)
    assert status and "instruments_lcrec has no text to measure diversity on" in printed


def mine(folder: Path, row: dict) -> tuple[str, str]:
    """A configuration file with a dataset, as arguments."""
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump({"datasets": {"mine": {"seeds": [0]} | row}}))
    return "--configfile", str(path)


def test_a_table_may_be_a_folder_and_have_no_items(fresh: Path, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    (raw / "orders").mkdir(parents=True)
    row = {"preset": "demo", "source": "table", "variants": ["tiger"]}
    row["settings"] = {"sources": {"table": {"interactions": "orders"}}}
    target = "results/mine/comparison.md"
    given = [*mine(tmp_path, row), "--config", f"raw_dir={raw}"]
    status, printed = snakemake(fresh, "-n", "--cores", "1", target, *given)
    assert status and "orders has no files" in printed

    for name in ("1.csv", "2.csv"):
        (raw / "orders" / name).write_text(name)
    jobs = planned(fresh, target, *given)
    assert {"ingest", "embed_interactions", "train_rqvae", "assign_semantic_ids"} <= jobs.keys()
    assert not {"embed_items", "download_reviews"} & jobs.keys()

    row["settings"]["sources"]["table"]["items"] = "products.csv"
    given[1] = mine(tmp_path, row)[1]
    status, printed = snakemake(fresh, "-n", "--cores", "1", target, *given)
    assert status and "mine needs products.csv, which is neither in" in printed
    (raw / "products.csv").write_text("p")
    jobs = planned(fresh, target, *given)
    assert "embed_items" in jobs and "embed_interactions" not in jobs


def test_vectors_of_neighbours_wait_for_the_examples(fresh: Path, tmp_path: Path) -> None:
    row = {"preset": "demo", "source": "simulated", "variants": ["tiger"]}
    target = "results/mine/text/embeddings.npy"
    assert "split_sequences" not in planned(fresh, target, *mine(tmp_path, row))
    row["settings"] = {"text": {"without": "neighbours"}}
    assert "split_sequences" in planned(fresh, target, *mine(tmp_path, row))


@pytest.mark.parametrize(("ending", "teacher"), [("", "lcrec"), ("_compact", "ensemble")])
def test_a_report_has_the_papers_analyses_of_either_network(
    fresh: Path, tmp_path: Path, ending: str, teacher: str
) -> None:
    compared = [f"{name}{ending}" for name in ("tiger", "distill", "dwr")]
    row = {"preset": "demo", "source": "simulated", "variants": compared, "reference": compared[0]}
    target, given = "results/mine/report.html", mine(tmp_path, row)
    status, printed = snakemake(fresh, "-n", "--cores", "1", target, *given)
    assert status == 0, printed
    names = "dwr_no_distill", "dwr_distance", "dwr_cooccurrence", "top", "random"
    for name in (f"{name}{ending}/seed_0/model/recommender.json" for name in names):
        assert f"results/mine/{name}" in printed
    wanted = {"measure_alignment", "show_cases", "compare_beam_widths", "draw_training_curves"}
    jobs = counted(printed)
    assert wanted <= jobs.keys()
    assert ("map_embeddings" in jobs) == ("train_teacher" in jobs) == (teacher == "lcrec")
    assert f"results/mine/{teacher}/seed_0/recommendations.parquet" in printed


def test_rows_are_held_against_the_teacher_that_they_had(fresh: Path, tmp_path: Path) -> None:
    def beside(target: str, *compared: str) -> str:
        row = {"preset": "demo", "source": "simulated", "variants": list(compared)}
        given = mine(tmp_path, row | {"reference": compared[0]})
        return snakemake(fresh, "-n", "--cores", "1", f"results/mine/analysis/{target}", *given)[1]

    lists = "results/mine/{}/seed_0/recommendations.parquet".format
    # The compact rows have learned from another teacher than DISTILL.
    printed = beside("alignment.md", "tiger", "distill", "tiger_compact", "distill_compact")
    for name in ("lcrec", "tiger", "distill", "tiger_compact"):
        assert lists(name) in printed
    assert lists("distill_compact") not in printed and "teach " not in printed
    assert "has learned from one teacher" in beside("cases.md", "tiger", "tiger_compact")
    assert "has no vectors of items" in beside(
        "embeddings.json", "tiger_compact", "distill_compact"
    )


def test_new_items_are_added_to_what_can_take_them(fresh: Path, tmp_path: Path) -> None:
    target, row = "results/mine/new_items.md", {"source": "older_items", "category": "demo"}
    given = mine(tmp_path, row | {"preset": "demo", "variants": ["tiger", "dtr", "ensemble"]})
    # An ensemble takes none where one of its members does not.
    assert planned(fresh, target, *given)["measure_new_items"] == 2
    given = mine(tmp_path, row | {"preset": "demo", "variants": ["popularity", "ease"]})
    status, printed = snakemake(fresh, "-n", "--cores", "1", target, *given)
    assert status and "can be added to none of popularity, ease" in printed


def test_files_of_ones_own_are_looked_for_nowhere_else(fresh: Path, tmp_path: Path) -> None:
    (tmp_path / "my_shop_5.json.gz").write_text("raw")
    row = {"preset": "demo", "source": "amazon2018", "category": "my_shop", "variants": ["tiger"]}
    given = [*mine(tmp_path, row), "--config", f"raw_dir={tmp_path}"]
    target = "results/mine/data/statistics.json"
    status, printed = snakemake(fresh, "-n", "--cores", "1", target, *given)
    assert status and "mine needs meta_my_shop.json.gz" in printed and "source: table" in printed


def test_a_gpu_preset_can_be_planned_anywhere(fresh: Path) -> None:
    jobs = planned(fresh, "results/games/dwr/metrics.json")
    assert jobs["fit"] == 6
    assert {"download_reviews", "train_teacher", "order_candidates"} <= jobs.keys()


def test_the_commands_of_the_pages_can_be_planned(fresh: Path, tmp_path: Path) -> None:
    for name in ("Instruments", "Games"):
        for kind in ("inter", "index"):
            (tmp_path / f"{name}.{kind}.json").write_text("{}")
    commands = []
    for page in [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("profiles/*/*.md")]:
        if page.name not in ("extending.md", "your_data.md"):  # whose rows have tests of their own
            text = page.read_text().replace("\\\n", "")
            commands += re.findall(r"^ *snakemake (?!.*--report)(.*)$", text, re.MULTILINE)
    found = set()
    for command in commands:
        for target in re.findall(r"(?<!\S)results/\S+", command):
            first, braces, rest = re.fullmatch(r"([^{]*)(?:\{(.*)\})?(.*)", target).groups()
            found |= {f"{first}{one}{rest}" for one in (braces or "").split(",")}
    found.remove("results/jobs")  # where jobs are to be left
    assert len(found) > 10
    assert planned(fresh, "--config", f"raw_dir={tmp_path}", "--", *sorted(found))
