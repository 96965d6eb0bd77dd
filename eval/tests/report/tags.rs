//! A reader of markup that knows only whether tags are balanced and attributes are quoted.

/// An element's name and its attributes.
#[derive(Debug, PartialEq)]
pub struct Tag {
    pub name: String,
    pub attributes: Vec<(String, String)>,
}

impl Tag {
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The elements of a text in their order.
///
/// # Panics
///
/// Where a tag is not closed, closes another one, or an attribute is not `name` or `name="value"`.
pub fn elements(text: &str) -> Vec<Tag> {
    const VOID: [&str; 4] = ["!DOCTYPE", "img", "meta", "wbr"];
    let (mut tags, mut open, mut rest) = (Vec::new(), Vec::<String>::new(), text);
    while let Some((before, after)) = rest.split_once('<') {
        assert!(!before.contains('>'), "a bare > in {before:?}");
        let (inner, after) = split_tag(after);
        rest = after;
        if let Some(name) = inner.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "before {:?}", rest.get(..40));
            continue;
        }
        let closed = inner.ends_with('/');
        let (name, attributes) =
            inner.trim_end_matches('/').split_once(' ').unwrap_or((inner.trim_end_matches('/'), ""));
        assert!(name.trim_start_matches('!').chars().all(char::is_alphanumeric), "<{inner}>");
        tags.push(Tag { name: name.to_owned(), attributes: split_attributes(attributes) });
        if name == "style" {
            rest = rest.split_once("</style>").expect("a style that ends").1;
        } else if !closed && !VOID.contains(&name) {
            open.push(name.to_owned());
        }
    }
    assert_eq!(open, Vec::<String>::new());
    tags
}

/// Up to the `>` that is in no quotes.
fn split_tag(text: &str) -> (&str, &str) {
    let mut quoted = false;
    for (index, letter) in text.char_indices() {
        match letter {
            '"' => quoted = !quoted,
            '>' if !quoted => return (&text[..index], &text[index + 1..]),
            '<' => panic!("a bare < in a tag before {:?}", text.get(index..index + 40)),
            _ => {}
        }
    }
    panic!("a tag that does not end: {:?}", text.get(..40))
}

fn split_attributes(mut text: &str) -> Vec<(String, String)> {
    let mut attributes = Vec::new();
    loop {
        text = text.trim_start();
        if text.is_empty() {
            return attributes;
        }
        let end = text.find([' ', '=']).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let value = rest.strip_prefix("=\"").map_or(("", rest), |rest| rest.split_once('"').expect("a closing quote"));
        assert!(!rest.starts_with('=') || rest.starts_with("=\""), "{name} is not quoted");
        attributes.push((name.to_owned(), value.0.to_owned()));
        text = value.1;
    }
}

#[test]
#[should_panic(expected = "before")]
fn crossed_tags_are_found() {
    elements("<p><b></p></b>");
}

#[test]
#[should_panic(expected = "left: [\"p\"]")]
fn open_tags_are_found() {
    elements("<p><img src=\"a>b\">");
}
