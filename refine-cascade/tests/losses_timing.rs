use std::time::Instant;
use burn::tensor::{Device, Distribution, Tensor};
use corr_volume::{CorrVolume, l2_normalise};
use refine_cascade::*;
fn time(mut f: impl FnMut()) -> f64 { let s = Instant::now(); f(); s.elapsed().as_secs_f64() * 1e3 }
fn compare(name: &str, mut a: impl FnMut(), mut b: impl FnMut()) {
    a(); b(); let (mut x, mut y) = (vec![], vec![]);
    for _ in 0..25 { x.push(time(&mut a)); y.push(time(&mut b)); }
    x.sort_by(f64::total_cmp); y.sort_by(f64::total_cmp);
    println!("{name}: fused min {:.2} med {:.2} ms, composed min {:.2} med {:.2} ms, ratio {:.3}", x[0], x[12], y[0], y[12], x[12] / y[12]);
}
#[test]
fn timing() {
    let (b, d, h) = (4usize, 304usize, 20usize); let n = h * h;
    let inner = Device::flex(); let ad = inner.clone().autodiff(); inner.seed(3);
    let maps = |()| l2_normalise(Tensor::<4>::random([b, d, h, h], Distribution::Normal(0.0, 1.0), &inner));
    let (s, t, m) = (maps(()), maps(()), maps(()));
    let leaf = |x: &Tensor<4>| x.clone().autodiff().require_grad();
    let lab = |()| Labels { points: Tensor::random([b, n, 2], Distribution::Uniform(0.0, 19.0), &inner), weights: Tensor::random([b, n], Distribution::Uniform(0.0, 1.0), &inner) };
    let (f, k) = (lab(()), lab(()));
    let voted = CorrVolume::new(Tensor::random([b, n, n], Distribution::Uniform(0.0, 1.0), &inner), corr_volume::Grid::square(h), corr_volume::Grid::square(h));
    let c = StudentLossConfig::default();
    compare("student_loss", || { let (s, t) = (leaf(&s), leaf(&t)); student_loss(s, t, &f, &k, Some(&voted), &c).backward(); },
     || { let (s, t) = (leaf(&s), leaf(&t)); let v = CorrVolume::cosine(s, t);
       let one = |v: &CorrVolume, voted: &CorrVolume, l: &Labels| match_loss_soft(v, soft_targets(l, voted, 1.0, 0.5).autodiff(), l.weights.clone().autodiff(), 0.05);
       (one(&v, &voted, &f) + one(&v.transpose(), &voted.transpose(), &k)).backward(); });
    compare("student_loss, value only", || { student_loss(s.clone(), t.clone(), &f, &k, Some(&voted), &c); },
     || { let v = CorrVolume::cosine(s.clone(), t.clone());
       let one = |v: &CorrVolume, voted: &CorrVolume, l: &Labels| match_loss_soft(v, soft_targets(l, voted, 1.0, 0.5), l.weights.clone(), 0.05);
       let _ = one(&v, &voted, &f) + one(&v.transpose(), &voted.transpose(), &k); });
    let w = WarpLossConfig::default(); let ka = Labels { points: f.points.clone().autodiff(), weights: f.weights.clone().autodiff() };
    compare("warp supervision", || { let (s, t) = (leaf(&s), leaf(&t)); warp_supervision_from_features(s, t, &f, &w).backward(); },
     || { let (s, t) = (leaf(&s), leaf(&t)); warp_supervision(&CorrVolume::cosine(s, t), &ka, &w).backward(); });
    compare("bipath", || { bipath_loss_from_features(leaf(&s), leaf(&m), leaf(&t), &f, &w).backward(); },
     || { let (s, m, t) = (leaf(&s), leaf(&m), leaf(&t)); bipath_loss(&CorrVolume::cosine(s, m.clone()), &CorrVolume::cosine(m, t), &ka, &w).backward(); });
    let mask = Tensor::<3>::ones([b, h, h], &inner); let mask_ad = mask.clone().autodiff();
    let pairs = [[0, 1], [1, 2], [2, 3], [3, 0]];
    compare("negatives", || { negative_loss_from_features(leaf(&s), leaf(&t), mask.clone(), &pairs, 0.05).backward(); },
     || { let (s, t) = (leaf(&s), leaf(&t)); let rolled = Tensor::cat(vec![t.clone().narrow(0, 1, 3), t.clone().narrow(0, 0, 1)], 0);
       negative_loss(&CorrVolume::cosine(s.clone(), t), &CorrVolume::cosine(s, rolled), mask_ad.clone(), 0.05).backward(); });
    let _ = ad;
}
