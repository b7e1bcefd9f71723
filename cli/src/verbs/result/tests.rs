use super::*;

const CSV: &[u8] = b"name,n\nBOEING,12\n\"AIR,BUS\",7\n";

fn attested(path: &str, bytes: &[u8]) -> Attested {
    let digest = Digest::of(bytes).to_string();
    serde_json::from_value(json!({
        "query_digest": digest, "votes": [], "inputs": [], "application": digest,
        "engine": {"name": "spark", "version": "4"}, "job_spec": digest,
        "manifest": {"rows": 2, "columns": [{"name": "name", "type": "string"}, {"name": "n", "type": "long"}],
            "files": [{"path": path, "digest": digest, "bytes": bytes.len()}]},
        "statistics": {"inputs": [], "segments": [], "rows_written": 2},
    }))
    .unwrap()
}

#[test]
fn files_are_read_only_as_attested() {
    let dir = tempfile::tempdir().unwrap();
    let attested = attested("part.csv", CSV);
    assert_eq!(checked(dir.path(), &attested).unwrap_err().code(), "unreadable");
    let path = dir.path().join("part.csv");
    fs::write(&path, CSV).unwrap();
    assert_eq!(checked(dir.path(), &attested).unwrap(), [("part.csv".to_owned(), CSV.to_vec())]);
    let mut altered = CSV.to_vec();
    altered[9] ^= 1;
    for wrong in [altered.as_slice(), &CSV[1..], &[CSV, b"x"].concat()] {
        fs::write(&path, wrong).unwrap();
        assert_eq!(checked(dir.path(), &attested).unwrap_err().code(), "result_mismatch");
    }
}

#[test]
fn no_path_leads_out_of_its_folder() {
    assert!(relative("fabrikam/delays").is_ok());
    for bad in ["", "/etc", "../x", "a/../../x", "."] {
        assert_eq!(relative(bad).unwrap_err().code(), "path_unfit", "{bad}");
    }
    let outside = attested("../part.csv", CSV);
    assert_eq!(checked(Path::new("/tmp"), &outside).unwrap_err().code(), "path_unfit");
}

#[test]
fn a_result_is_shown_as_a_table_of_some_rows() {
    let attested = attested("part.csv", CSV);
    let files = [("part.csv".to_owned(), CSV.to_vec())];
    let shown =
        |limit| table(&Format::Csv { null_value: None }, &attested.manifest.columns, &files, limit);
    assert_eq!(shown(20), "name      n\nBOEING   12\nAIR,BUS   7\n");
    assert_eq!(shown(1), "name     n\nBOEING  12\n");
    let lines = [("part.json".to_owned(), b"{\"name\":\"A\",\"n\":1}\n{\"n\":null}\n".to_vec())];
    let shown = table(&Format::Json {}, &attested.manifest.columns, &lines, 20);
    assert_eq!(shown, "name  n\nA     1\n\n");
}

#[test]
fn a_decimal_is_shown_to_the_right_with_all_its_digits() {
    let columns = [api::Column { name: "n".into(), r#type: "decimal(20,2)".into() }];
    let lines = "{\"n\":999999999999999999.99}\n{\"n\":0.50}\n".as_bytes().to_vec();
    let shown = table(&Format::Json {}, &columns, &[("part.json".to_owned(), lines)], 20);
    assert_eq!(shown, format!("{:>21}\n999999999999999999.99\n{:>21}\n", "n", "0.50"));
}

#[test]
fn a_copy_takes_the_place_of_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("result.csv");
    fs::write(&to, "old").unwrap();
    copy(&to, CSV).unwrap();
    assert_eq!(fs::read(&to).unwrap(), CSV);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}
