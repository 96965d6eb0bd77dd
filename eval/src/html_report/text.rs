//! Text into HTML.

/// HTML that grows.
#[derive(Default)]
pub(super) struct Page(String);

impl Page {
    /// Appends HTML as it is.
    pub fn push(&mut self, html: &str) {
        self.0.push_str(html);
    }

    /// Appends an element that holds text.
    pub fn element(&mut self, tag: &str, text: &str) {
        self.push(&format!("<{tag}>{}</{tag}>\n", escaped(text)));
    }

    /// Opens a table up to the start of its head, in a box that scrolls sideways, by keyboard too. What the table shows stands
    /// above the box, so that it does not scroll away.
    pub fn open_table(&mut self, name: &str, caption: &str) {
        let (name, caption) = (escaped(name), escaped(caption));
        self.push(&format!(
            "<p class=\"caption\">{caption}</p>\n\
             <div class=\"scroll\" role=\"region\" aria-label=\"{name}\" tabindex=\"0\">\n<table>\n<thead>"
        ));
    }

    /// Closes the body of a table, and the table.
    pub fn close_table(&mut self) {
        self.push("</tbody>\n</table>\n</div>\n");
    }

    /// What was appended.
    pub fn text(self) -> String {
        self.0
    }
}

/// Text as the content of an element, or of an attribute in double quotes. Control characters, which HTML does not allow, become
/// U+FFFD.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' | '\t' => safe.push(letter),
            _ if letter.is_control() => safe.push('\u{fffd}'),
            _ => safe.push(letter),
        }
    }
    safe
}
