//! The gallery of labels in a browser, where one is installed.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use serde_json::{Value, json};

use crate::inspect::{labels, photos};
use crate::skips;
use crate::support::Scene;

const PATIENCE: Duration = Duration::from_secs(60);

/// Opens the first pair and measures what is seen.
const MEASURE: &str = "<script>
const wrong = [];
addEventListener('securitypolicyviolation', (event) => wrong.push('policy: ' + event.violatedDirective));
const shown = (element) => element.checkVisibility() && element.getClientRects().length > 0;
addEventListener('load', async () => {
  const pair = document.querySelector('details.pair');
  pair.querySelector('summary').click();
  const images = [...document.querySelectorAll('.opened img, .single img')].filter(shown);
  await Promise.all(images.map((image) => image.decode().catch((error) => wrong.push('decode: ' + error))));
  const widths = [...pair.querySelectorAll('.opened img')].map((image) => image.getBoundingClientRect().width);
  const result = {
    wrong, widths, open: pair.open, inner: innerWidth, scroll: document.documentElement.scrollWidth,
    rows: [...pair.querySelectorAll('.opened tbody tr')].filter(shown).length,
    drawn: [...pair.querySelectorAll('.opened svg')].filter(shown).map((svg) => svg.querySelectorAll('circle').length),
    singles: [...document.querySelectorAll('.single img')].filter(shown).length,
    charts: [...document.querySelectorAll('.chart svg')].filter(shown).length,
  };
  parent.postMessage(JSON.stringify(result), '*');
});
</script>";

#[test]
fn a_browser_shows_the_gallery_of_inspect_on_a_phone_and_on_a_desk() {
    let Some(browser) = skips::browser() else { return };
    let scene = Scene::new();
    let folder = photos(&scene);
    labels(&scene, &folder, &json!({"seed": 7}));
    scene.succeed(&["inspect", "labels", "--data", "photos", "--against", "willow=photos:all"]);
    let html = fs::read_to_string(scene.path("labels/inspect.html")).unwrap();

    // The gallery forbids scripts. The copy allows those of the test.
    let policy = "default-src 'none'; ";
    assert!(html.contains(policy));
    let copy = html.replacen(policy, "default-src 'none'; script-src 'unsafe-inline'; ", 1);
    fs::write(scene.path("copy.html"), copy.replacen("</body>", &format!("{MEASURE}</body>"), 1)).unwrap();
    let frames: String = [390, 1280]
        .map(|width| {
            format!("<iframe src=\"copy.html\" style=\"display:block;border:0;width:{width}px;height:400px\"></iframe>")
        })
        .concat();
    let host = format!(
        "<!DOCTYPE html><pre id=\"result\"></pre><script>const seen = []; addEventListener('message', (event) => {{ \
         seen.push(JSON.parse(event.data)); seen.sort((a, b) => a.inner - b.inner); \
         document.getElementById('result').textContent = JSON.stringify(seen); }});</script>{frames}"
    );
    fs::write(scene.path("host.html"), host).unwrap();

    let page = fs::File::create(scene.path("page")).unwrap();
    let mut child = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"])
        .args(["--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--window-size=1400,844"])
        .args(["--virtual-time-budget=5000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", scene.path("profile").display()))
        .arg(format!("file://{}", scene.path("host.html").display()))
        .stdin(Stdio::null())
        .stdout(page)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > PATIENCE {
            child.kill().unwrap();
        }
        thread::sleep(Duration::from_millis(20));
    }
    let dom = fs::read_to_string(scene.path("page")).unwrap();
    let result = dom.split_once("<pre id=\"result\">").and_then(|(_, rest)| rest.split_once("</pre>"));
    let result = result.unwrap_or_else(|| panic!("no result in {dom}")).0;
    let all: Vec<Value> = serde_json::from_str(result).unwrap_or_else(|error| panic!("{error}: {result:?}"));

    assert_eq!(all.len(), 2);
    for (seen, width) in all.iter().zip([390, 1280]) {
        println!("{width}: {seen}");
        assert_eq!((&seen["wrong"], &seen["open"], &seen["inner"]), (&json!([]), &json!(true), &json!(width)));
        assert!(seen["scroll"].as_u64().unwrap() <= width, "{} in {width}", seen["scroll"]);
        // Three key points, in one drawing with a dot at either end.
        assert_eq!((&seen["rows"], &seen["drawn"]), (&json!(3), &json!([6])));
        assert_eq!((&seen["singles"], &seen["charts"]), (&json!(4), &json!(2)));
        let widths = seen["widths"].as_array().unwrap();
        assert!(widths.len() == 2 && widths.iter().all(|width| width.as_f64().unwrap() > 250.0), "{widths:?}");
    }
}
