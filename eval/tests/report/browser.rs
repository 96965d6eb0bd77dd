//! The report in a browser, where one is installed.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::generated::report;
use crate::skips;

const PATIENCE: Duration = Duration::from_secs(60);

/// Before anything else in the page: whatever goes wrong is written down.
const LISTEN: &str = "<script>
const wrong = [];
onerror = (message) => { wrong.push(String(message)); };
addEventListener('error', (event) => wrong.push('load: ' + (event.target.tagName || event.message)), true);
addEventListener('securitypolicyviolation', (event) => wrong.push('policy: ' + event.violatedDirective));
for (const kind of ['error', 'warn']) console[kind] = (...words) => wrong.push(kind + ': ' + words.join(' '));
</script>";

/// After all: opens a pair by its summary, and measures what is seen.
const MEASURE: &str = "<script>
const shown = (element) => element.checkVisibility() && element.getClientRects().length > 0;
addEventListener('load', async () => {
  const pair = document.querySelector('details.pair');
  const closed = [...pair.querySelectorAll('.opened img')].filter(shown).length;
  const summary = pair.querySelector('summary');
  summary.focus();
  const focused = document.activeElement === summary;
  summary.click();
  const images = [...pair.querySelectorAll('.opened img')];
  await Promise.all(images.map((image) => image.decode().catch((error) => wrong.push('decode: ' + error))));
  const box = (element) => element.getBoundingClientRect();
  const shapes = (svg) => [...svg.querySelectorAll('path, polyline, line, polygon, rect, circle')]
    .map((shape) => shape.getBBox()).filter((box) => box.width > 0 || box.height > 0).length;
  const result = {
    wrong, closed, focused, open: pair.open,
    images: images.filter(shown).map((image) => [image.naturalWidth, image.naturalHeight, box(image).width, box(image).height]),
    figures: [...document.querySelectorAll('svg')].filter(shown).map(shapes),
    charts: document.querySelectorAll('.chart svg').length,
    rows: [...pair.querySelectorAll('.opened tbody tr')].filter(shown).length,
    scroll: document.documentElement.scrollWidth, inner: innerWidth,
    small: [...document.querySelectorAll('p, td, th, li, dd')].filter(shown)
      .map((element) => parseFloat(getComputedStyle(element).fontSize)).reduce((a, b) => Math.min(a, b), 99),
  };
  parent.postMessage(JSON.stringify(result), '*');
});
</script>";

/// What the browser says (its page when scripts are done, and its log).
fn browse(browser: &Path, folder: &Path, page: &Path) -> (String, String) {
    let profile = tempfile::tempdir_in(folder).unwrap();
    let (page_file, log_file) = (profile.path().join("page"), profile.path().join("log"));
    let mut child = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--disable-dev-shm-usage", "--enable-logging=stderr", "--v=0", "--window-size=900,844"])
        .args(["--virtual-time-budget=5000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.path().join("profile").display()))
        .arg(format!("file://{}", page.display()))
        .stdin(Stdio::null())
        .stdout(File::create(&page_file).unwrap())
        .stderr(File::create(&log_file).unwrap())
        .spawn()
        .unwrap();
    let start = Instant::now();
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if start.elapsed() < PATIENCE => thread::sleep(Duration::from_millis(20)),
            None => {
                child.kill().unwrap();
                break child.wait().unwrap();
            }
        }
    };
    let log = String::from_utf8_lossy(&fs::read(&log_file).unwrap()).into_owned();
    assert!(status.success(), "{status}\n{log}");
    (String::from_utf8_lossy(&fs::read(&page_file).unwrap()).into_owned(), log)
}

/// Opens a pair in a frame of each width, and returns what is seen there, the narrowest first.
fn measured(browser: &Path, html: &str, widths: &[u32]) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    // The report forbids scripts. The copy allows those of the test.
    let policy = "default-src 'none'; ";
    assert!(html.contains(policy));
    let copy = html.replacen(policy, "default-src 'none'; script-src 'unsafe-inline'; ", 1);
    let copy = copy.replacen("<meta name=\"viewport\"", &format!("{LISTEN}<meta name=\"viewport\""), 1);
    let copy = copy.replacen("</body>", &format!("{MEASURE}</body>"), 1);
    fs::write(folder.path().join("copy.html"), copy).unwrap();
    let frame = |width| {
        format!("<iframe src=\"copy.html\" style=\"display:block;border:0;width:{width}px;height:400px\"></iframe>")
    };
    let host = format!(
        "<!DOCTYPE html><pre id=\"result\"></pre><script>const seen = []; addEventListener('message', (event) => {{ \
         seen.push(JSON.parse(event.data)); seen.sort((a, b) => a.inner - b.inner); \
         document.getElementById('result').textContent = JSON.stringify(seen); }});</script>{}",
        widths.iter().map(frame).collect::<String>()
    );
    let page = folder.path().join("host.html");
    fs::write(&page, host).unwrap();
    let (dom, log) = browse(browser, folder.path(), &page);
    let result = dom.split_once("<pre id=\"result\">").and_then(|(_, rest)| rest.split_once("</pre>"));
    let result = result.unwrap_or_else(|| panic!("no result in {dom}\n{log}")).0;
    let result = result.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    serde_json::from_str(&result).unwrap_or_else(|error| panic!("{error}: {result:?}\n{log}"))
}

#[test]
fn a_browser_shows_the_report_and_opens_a_pair() {
    let Some(browser) = skips::browser() else { return };
    let html = report().html();
    let widths = [390, 1280];
    let all = measured(&browser, &html, &widths);
    assert_eq!(all.len(), widths.len());
    for (seen, width) in all.iter().zip(widths) {
        println!("{width}: {seen}");
        assert_eq!(seen["wrong"], Value::Array(vec![]));
        assert_eq!(seen["inner"], width);
        assert!(seen["scroll"].as_u64().unwrap() <= u64::from(width), "{} in {width}", seen["scroll"]);
        assert!(seen["small"].as_f64().unwrap() >= 12.0, "letters of {} pixels", seen["small"]);
        assert_eq!((&seen["closed"], &seen["focused"], &seen["open"]), (&0.into(), &true.into(), &true.into()));
        assert_eq!(seen["rows"], 4);

        let images = seen["images"].as_array().unwrap();
        assert_eq!(images.len(), 2);
        for (image, natural) in images.iter().zip([[720, 360], [90, 160]]) {
            assert_eq!([&image[0], &image[1]], natural.map(Value::from).each_ref());
            let (shown_width, shown_height) = (image[2].as_f64().unwrap(), image[3].as_f64().unwrap());
            assert!(shown_width > 200.0 && shown_height > 150.0, "{image}");
            let shape = shown_width / shown_height * f64::from(natural[1]) / f64::from(natural[0]);
            assert!((shape - 1.0).abs() < 0.01, "an image is distorted by {shape}");
        }
        assert_eq!(seen["charts"], 4);
        let figures = seen["figures"].as_array().unwrap();
        // Four charts, three keys of shapes, a drawing in each closed pair and one in the opened pair.
        assert_eq!(figures.len(), 4 + 3 + 1 + 1);
        assert!(figures.iter().all(|shapes| shapes.as_u64().unwrap() > 0), "{figures:?}");
    }
}

#[test]
fn a_browser_has_nothing_to_say_about_the_report() {
    let Some(browser) = skips::browser() else { return };
    let folder = tempfile::tempdir().unwrap();
    let check = |html: &str| {
        let page = folder.path().join("report.html");
        fs::write(&page, html).unwrap();
        let (dom, log) = browse(&browser, folder.path(), &page);
        assert!(dom.contains("benchmark-2"));
        log.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect::<Vec<_>>()
    };
    let html = report().html();
    assert_eq!(check(&html), Vec::<String>::new());
    // The test can fail: the policy of the page forbids this script, and the browser says so.
    let broken = html.replacen("</body>", "<script>1</script></body>", 1);
    assert!(!check(&broken).is_empty());
}
