//! CSV (RFC 4180) as Spark writes it here: a header, quotes doubled within quotes.

/// The first `limit` rows, the header among them.
pub fn rows(text: &str, limit: usize) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut row = Vec::new();
    let mut cell = String::new();
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match (char, quoted) {
            ('"', true) if chars.next_if_eq(&'"').is_some() => cell.push('"'),
            ('"', _) => quoted = !quoted,
            (',', false) => row.push(std::mem::take(&mut cell)),
            ('\r', false) if chars.peek() == Some(&'\n') => {}
            ('\n', false) => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
                if rows.len() >= limit {
                    return rows;
                }
            }
            (char, _) => cell.push(char),
        }
    }
    if !cell.is_empty() || !row.is_empty() {
        row.push(cell);
        rows.push(row);
    }
    rows
}

/// Several files with the same header as one. A header holds column names, so no line ends.
pub fn joined<'a>(files: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    for file in files {
        let header = file.iter().position(|byte| *byte == b'\n').map_or(file.len(), |end| end + 1);
        let from = if out.is_empty() { 0 } else { header };
        out.extend_from_slice(file.get(from..).unwrap_or_default());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_commas_and_line_ends_are_read() {
        let text = "a,b\r\n\"x,\"\"y\"\"\",\"1\n2\"\n,\n";
        assert_eq!(rows(text, 9), [vec!["a", "b"], vec!["x,\"y\"", "1\n2"], vec!["", ""]]);
        assert_eq!(rows(text, 1), [["a", "b"]]);
        assert_eq!(rows("a\nlast", 9), [["a"], ["last"]]);
        assert!(rows("", 9).is_empty());
    }

    #[test]
    fn files_are_joined_under_one_header() {
        assert_eq!(joined([&b"h\n1\n"[..], b"h\n2\n", b"h\n"]), b"h\n1\n2\n");
    }
}
