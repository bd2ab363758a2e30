//! Runs that are killed, and runs that meet in one folder.

use super::*;

/// What a file must look like if it is there at all.
fn check_whole(path: &Path) {
    let bytes = std::fs::read(path).unwrap();
    let text = || String::from_utf8(bytes.clone()).unwrap();
    match path.file_name().unwrap().to_str().unwrap() {
        "report.json" => drop(serde_json::from_slice::<serde_json::Value>(&bytes).unwrap()),
        "report.txt" => assert!(text().trim_end().ends_with("passed"), "{}", text()),
        "report.md" => assert!(text().starts_with("# Squall: pass")),
        "index.html" => assert!(text().trim_end().ends_with("</html>")),
        "metrics.prom" => assert!(text().ends_with('\n') && text().starts_with('#')),
        "junit.xml" => assert!(text().trim_end().ends_with("</testsuites>")),
        "squall.jsonl.zst" => assert!(output(&["report", self::text(path)]).status.success()),
        // What is under way: the journal, and what is renamed when it is whole.
        "unfinished.jsonl" => {}
        other => assert!(other.starts_with('.'), "{other}"),
    }
}

/// Killed at random moments, again and again, a run comes to the same end: whatever file is there is whole, and the last
/// run finishes with what an undisturbed one writes.
#[test]
fn a_run_that_is_killed_goes_on() {
    let kills: u64 = 100;
    let folder = tempfile::tempdir().unwrap();
    let run = |reports: &Path| {
        let mut command = squall(&["run", STORM, "--seeds", "16", "--format", "json", "--report-dir", text(reports)]);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        command
    };
    let undisturbed = folder.path().join("undisturbed");
    let began = std::time::Instant::now();
    let expected = run(&undisturbed).output().unwrap().stdout;
    let whole_run = began.elapsed();
    let mut finished = 0;
    let mut resumed = 0;
    for kill in 0..kills {
        let reports = folder.path().join("reports");
        resumed += usize::from(reports.join("unfinished.jsonl").exists());
        let mut child = run(&reports).spawn().unwrap();
        // Drawn from the first two fifths of a run, so that most runs take several tries.
        let moment = whole_run.mul_f64(Key::from_seed(1).with(kill).draw().between(0.0, 0.4));
        std::thread::sleep(moment.max(Duration::from_millis(1)));
        child.kill().unwrap();
        let status = child.wait().unwrap();
        files(&reports).iter().for_each(|name| check_whole(&reports.join(name)));
        if status.success() || kill + 1 == kills {
            finished += 1;
            assert!(run(&reports).output().unwrap().stdout == expected);
            assert_eq!(files(&reports), files(&undisturbed), "nothing is left over");
            for name in files(&reports) {
                let [one, other] = [&reports, &undisturbed].map(|at| std::fs::read(at.join(&name)).unwrap());
                assert!(one == other, "{name}");
            }
            std::fs::remove_dir_all(&reports).unwrap();
        }
    }
    figure("resume.kills", kills as f64, "times");
    figure("resume.went_on", resumed as f64, "times");
    figure("resume.finished", f64::from(finished), "runs");
    assert!(resumed > kills as usize / 2, "{resumed} of {kills} found something to go on with");
}

/// Two runs do not write into one folder at the same time.
#[test]
fn a_report_folder_has_one_writer() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["run", STORM, "--seeds", "5000", "--report-dir", text(folder.path())];
    let mut first = squall(&arguments).stdout(Stdio::null()).spawn().unwrap();
    let journal = folder.path().join("unfinished.jsonl");
    while std::fs::metadata(&journal).map_or(0, |file| file.len()) == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let second = output(&arguments);
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(second.status.code(), Some(2), "{}", String::from_utf8_lossy(&second.stderr));
    assert!(String::from_utf8_lossy(&second.stderr).contains("another run is writing"));
}
